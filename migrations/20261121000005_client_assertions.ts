import type { Knex } from 'knex'

/** The `jti` of each used client assertion, RFC 7523 §3. The primary key refuses a second use. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE client_assertions (
      client_id  text NOT NULL REFERENCES clients ON DELETE CASCADE,
      jti_digest bytea NOT NULL,
      expires_at timestamptz NOT NULL,
      PRIMARY KEY (client_id, jti_digest)
    );
    CREATE INDEX client_assertions_expires_at ON client_assertions (expires_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE client_assertions')
}
