import type { Knex } from 'knex'

/** API keys of users for their programs: shown once, stored as a digest. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE api_keys (
      id           uuid PRIMARY KEY,
      user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
      name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
      digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
      scope        text[] NOT NULL,
      audience     text[] NOT NULL,
      created_at   timestamptz NOT NULL,
      expires_at   timestamptz,
      last_used_at timestamptz
    );
    CREATE INDEX api_keys_user_id ON api_keys (user_id);
    CREATE INDEX api_keys_expires_at ON api_keys (expires_at) WHERE expires_at IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE api_keys')
}
