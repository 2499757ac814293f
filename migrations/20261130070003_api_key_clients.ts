import type { Knex } from 'knex'

/** With which app a key was made: it ends with that app. Absent for keys of the release before. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE api_keys ADD COLUMN IF NOT EXISTS client_id text')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE api_keys DROP COLUMN client_id')
}
