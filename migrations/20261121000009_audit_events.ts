import type { Knex } from 'knex'

/** The audit trail. It has no foreign keys, because it outlives its subjects. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE audit_events (
      id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at        timestamptz NOT NULL,
      event     text NOT NULL,
      user_id   uuid,
      client_id text,
      sid       uuid,
      ip        inet,
      detail    jsonb NOT NULL DEFAULT '{}'
    );
    CREATE INDEX audit_events_at ON audit_events (at);
    CREATE INDEX audit_events_user_id ON audit_events (user_id, id) WHERE user_id IS NOT NULL;
    CREATE INDEX audit_events_client_id ON audit_events (client_id, id) WHERE client_id IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE audit_events')
}
