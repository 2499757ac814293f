import type { Knex } from 'knex'

/**
 * Tokens of mail links. Only the digest is stored. Deleting the row spends the token, so one of many
 * simultaneous requests wins. A user has one live token per purpose: a newer one replaces it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE one_time_tokens (
      digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
      purpose    text NOT NULL CHECK (purpose IN ('email_verification', 'password_reset')),
      user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
      email      text NOT NULL,
      created_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      UNIQUE (user_id, purpose)
    );
    CREATE INDEX one_time_tokens_expires_at ON one_time_tokens (expires_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE one_time_tokens')
}
