import type { Knex } from 'knex'

/** Each client has two slots, never a third, so that a secret can be rotated without an outage. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE client_secrets (
      client_id  text NOT NULL REFERENCES clients ON DELETE CASCADE,
      slot       smallint NOT NULL CHECK (slot IN (1, 2)),
      digest     bytea NOT NULL CHECK (length(digest) = 32),
      created_at timestamptz NOT NULL,
      expires_at timestamptz,
      PRIMARY KEY (client_id, slot)
    )`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE client_secrets')
}
