import type { Knex } from 'knex'

/** The app with which a key was created, and ends. Null for keys of the previous release. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE api_keys ADD COLUMN IF NOT EXISTS client_id text')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE api_keys DROP COLUMN client_id')
}
