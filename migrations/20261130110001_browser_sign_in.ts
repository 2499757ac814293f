import type { Knex } from 'knex'

/**
 * Sign-in through the browser: a browser session is one browser that has signed in here, an authorization
 * code is a session that a client may begin within a minute, a consent is what a person has allowed a client.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE browser_sessions (
      id                uuid PRIMARY KEY,
      user_id           uuid NOT NULL,
      version           integer NOT NULL DEFAULT 0,
      created_at        timestamptz NOT NULL,
      auth_time         timestamptz NOT NULL,
      amr               text[] NOT NULL,
      acr               text NOT NULL,
      authenticated_for uuid,
      answered          uuid[] NOT NULL DEFAULT '{}',
      remembered        boolean NOT NULL,
      idle_expires_at   timestamptz NOT NULL,
      expires_at        timestamptz NOT NULL,
      revoked_at        timestamptz,
      revoked_reason    text,
      ip                text,
      user_agent        text,
      CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
    ) WITH (fillfactor = 80);
    CREATE INDEX browser_sessions_user_id ON browser_sessions (user_id);
    CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at) WHERE revoked_at IS NULL;
    CREATE INDEX browser_sessions_revoked_at ON browser_sessions (revoked_at)
      WHERE revoked_at IS NOT NULL;
    CREATE TABLE authorization_codes (
      sid                 uuid PRIMARY KEY,
      user_id             uuid NOT NULL,
      client_id           text NOT NULL,
      browser_session_id  uuid NOT NULL,
      redirect_uri        text NOT NULL,
      code_challenge      text,
      nonce               text,
      scope               text[] NOT NULL,
      audience            text[] NOT NULL,
      claims              jsonb,
      auth_time           timestamptz NOT NULL,
      amr                 text[] NOT NULL,
      acr                 text NOT NULL,
      password_changed_at timestamptz NOT NULL,
      has_refresh_token   boolean NOT NULL,
      outlives_browser    boolean NOT NULL,
      expires_at          timestamptz NOT NULL
    );
    CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at);
    CREATE TABLE consents (
      user_id    uuid NOT NULL,
      client_id  text NOT NULL,
      scopes     text[] NOT NULL,
      granted_at timestamptz NOT NULL,
      PRIMARY KEY (user_id, client_id)
    );
    CREATE INDEX consents_client_id ON consents (client_id);
    CREATE TABLE logout_deliveries (
      id              uuid PRIMARY KEY,
      client_id       text NOT NULL,
      sid             uuid NOT NULL,
      subject         uuid NOT NULL,
      created_at      timestamptz NOT NULL,
      next_attempt_at timestamptz NOT NULL,
      attempts        integer NOT NULL DEFAULT 0,
      refusals        integer NOT NULL DEFAULT 0,
      delivered_at    timestamptz,
      given_up_at     timestamptz,
      last_error      text
    );
    CREATE INDEX logout_deliveries_oldest ON logout_deliveries (created_at)
      WHERE delivered_at IS NULL AND given_up_at IS NULL;
    CREATE INDEX logout_deliveries_waiting ON logout_deliveries (client_id, next_attempt_at)
      WHERE delivered_at IS NULL AND given_up_at IS NULL;
    CREATE INDEX logout_deliveries_given_up_at ON logout_deliveries (given_up_at)
      WHERE given_up_at IS NOT NULL;
    CREATE INDEX logout_deliveries_created_at ON logout_deliveries (created_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE logout_deliveries;
    DROP TABLE consents;
    DROP TABLE authorization_codes;
    DROP TABLE browser_sessions`)
}
