import type { Knex } from 'knex'

/** The last run of each cleanup task on any instance, and the number of deleted rows. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE janitor_runs (
      task         text PRIMARY KEY,
      ran_at       timestamptz NOT NULL,
      rows         bigint NOT NULL,
      cursor       text,
      caught_up_at timestamptz
    )`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE janitor_runs')
}
