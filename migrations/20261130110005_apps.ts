import type { Knex } from 'knex'

/**
 * Finds the few clients that people sign in to among many that act for themselves, and the single-page apps
 * among those that have a secret.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX clients_with_redirect_uris ON clients (id) WHERE cardinality(redirect_uris) > 0;
    CREATE INDEX clients_public_redirect_uris ON clients (id)
      WHERE token_endpoint_auth_method = 'none' AND disabled_at IS NULL AND cardinality(redirect_uris) > 0;
    CREATE INDEX clients_launchable ON clients (name) WHERE initiate_login_uri IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX clients_launchable;
    DROP INDEX clients_public_redirect_uris;
    DROP INDEX clients_with_redirect_uris`)
}
