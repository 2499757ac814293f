import type { Knex } from 'knex'

/**
 * Lists of people and of events are found by an index, however large the tables are. On tables of more
 * than some ten million rows build these before the upgrade, with CREATE INDEX CONCURRENTLY under the
 * same names: docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS users_roles ON users USING gin (roles) WHERE roles <> '{}';
    CREATE INDEX IF NOT EXISTS users_disabled ON users (id) WHERE disabled_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS users_unverified ON users (id)
      WHERE email_verified_at IS NULL AND email IS NOT NULL;
    CREATE INDEX IF NOT EXISTS users_username_prefix ON users (lower(username) text_pattern_ops);
    CREATE INDEX IF NOT EXISTS users_email_prefix ON users (lower(email) text_pattern_ops);
    CREATE INDEX IF NOT EXISTS audit_events_event ON audit_events (event, id);
    CREATE INDEX IF NOT EXISTS audit_events_client_event ON audit_events (client_id, event, id)
      WHERE client_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_events_sid ON audit_events (sid, id) WHERE sid IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX audit_events_sid, audit_events_client_event, audit_events_event, users_email_prefix,
               users_username_prefix, users_unverified, users_disabled, users_roles`)
}
