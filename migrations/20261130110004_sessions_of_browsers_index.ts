import type { Knex } from 'knex'

/**
 * Finds the sessions that end when a browser signs out. On a large table build the index before the upgrade:
 * docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS refresh_families_browser_session_id
      ON refresh_families (browser_session_id)
      WHERE browser_session_id IS NOT NULL AND revoked_at IS NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX refresh_families_browser_session_id')
}
