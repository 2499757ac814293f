import type { Knex } from 'knex'

/**
 * Lists of events use an index, however large the table is. On a large table build these
 * before the upgrade: docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS audit_events_event ON audit_events (event, id);
    CREATE INDEX IF NOT EXISTS audit_events_client_event ON audit_events (client_id, event, id)
      WHERE client_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_events_sid ON audit_events (sid, id) WHERE sid IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX audit_events_sid, audit_events_client_event, audit_events_event')
}
