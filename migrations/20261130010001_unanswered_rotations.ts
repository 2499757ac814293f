import type { Knex } from 'knex'

/**
 * Rotations that PostgreSQL may have done although their callers got 503. `rotated_at` is the value that
 * such a rotation wrote into its session. No foreign key: a lock on the session must not block it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE unanswered_rotations (
      sid        uuid NOT NULL,
      rotated_at timestamptz NOT NULL,
      noted_at   timestamptz NOT NULL,
      PRIMARY KEY (sid, rotated_at)
    );
    CREATE INDEX unanswered_rotations_noted_at ON unanswered_rotations (noted_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE unanswered_rotations')
}
