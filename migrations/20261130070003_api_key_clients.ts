import type { Knex } from 'knex'

/** With which app a key was made: it ends with that app. Absent for keys of the release before. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE api_keys ADD COLUMN client_id text;
    CREATE INDEX api_keys_client_id ON api_keys (client_id) WHERE client_id IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE api_keys DROP COLUMN client_id')
}
