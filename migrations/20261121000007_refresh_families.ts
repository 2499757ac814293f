import type { Knex } from 'knex'

/**
 * One row per session, however often it is refreshed. The columns that a refresh writes
 * (`generation`, `rotated_at`, `idle_expires_at`) are in no index and the pages keep room, so that a
 * refresh is a heap-only update.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE refresh_families (
      sid             uuid PRIMARY KEY,
      user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
      client_id       text NOT NULL REFERENCES clients ON DELETE CASCADE,
      scope           text[] NOT NULL,
      audience        text[] NOT NULL,
      seed_digest     bytea NOT NULL CHECK (length(seed_digest) = 32),
      generation      integer NOT NULL DEFAULT 0,
      auth_time       timestamptz NOT NULL,
      amr             text[] NOT NULL,
      rotated_at      timestamptz,
      idle_expires_at timestamptz NOT NULL,
      expires_at      timestamptz NOT NULL,
      revoked_at      timestamptz,
      revoked_reason  text,
      CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
    ) WITH (fillfactor = 80);
    CREATE INDEX refresh_families_user_id ON refresh_families (user_id) WHERE revoked_at IS NULL;
    CREATE INDEX refresh_families_client_id ON refresh_families (client_id) WHERE revoked_at IS NULL;
    CREATE INDEX refresh_families_expires_at ON refresh_families (expires_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE refresh_families')
}
