import type { Knex } from 'knex'

/**
 * Links in mails. Only the digest is kept; deleting the row is spending the token, so of many that
 * come at once one wins. A person has one live token of a purpose: a newer one replaces it.
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
