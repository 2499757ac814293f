import type { Knex } from 'knex'

/** On a large table build it before the upgrade: docs/operations.md. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS api_keys_client_id ON api_keys (client_id)
      WHERE client_id IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX api_keys_client_id')
}
