import type { Knex } from 'knex'

/** When each kind of expired rows was last swept by whichever instance did it, and how many there were. */
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
