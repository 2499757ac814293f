import type { Knex } from 'knex'

/** An OAuth client, RFC 6749 §2, with its settings. The first audience is the default one. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE clients (
      id                         text PRIMARY KEY,
      name                       text NOT NULL,
      token_endpoint_auth_method text NOT NULL,
      jwks                       jsonb,
      first_party                boolean NOT NULL,
      grant_types                text[] NOT NULL,
      scopes                     text[] NOT NULL,
      default_scopes             text[] NOT NULL,
      audiences                  text[] NOT NULL,
      introspects                text[] NOT NULL,
      refresh_tokens             text NOT NULL,
      access_token_seconds       integer,
      session_idle_seconds       integer,
      session_absolute_seconds   integer,
      created_at                 timestamptz NOT NULL,
      disabled_at                timestamptz,
      CHECK (id ~ '^[A-Za-z0-9._~-]{1,100}$'),
      CHECK (token_endpoint_auth_method IN
        ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none')),
      CHECK ((token_endpoint_auth_method = 'private_key_jwt') = (jwks IS NOT NULL)),
      CHECK (first_party OR NOT 'password' = ANY (grant_types)),
      CHECK (token_endpoint_auth_method <> 'none' OR NOT 'client_credentials' = ANY (grant_types)),
      CHECK (default_scopes <@ scopes),
      CHECK (cardinality(audiences) > 0),
      CHECK (refresh_tokens IN ('offline_access', 'always', 'never')),
      CHECK (access_token_seconds > 0),
      CHECK (session_idle_seconds > 0),
      CHECK (session_absolute_seconds > 0)
    )`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE clients')
}
