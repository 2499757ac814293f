import type { Knex } from 'knex'

/**
 * Deleting a user or a client deletes one row. Afterwards sessions are ended, and the audit trail of
 * the user is erased, in batches (ADR 27).
 *
 * On a large table build the indexes before the upgrade: docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE deleted_users (
      id           uuid PRIMARY KEY,
      deleted_at   timestamptz NOT NULL,
      audit_cursor bigint NOT NULL DEFAULT 0
    );
    CREATE INDEX deleted_users_deleted_at ON deleted_users (deleted_at);
    CREATE TABLE deleted_clients (
      id         text PRIMARY KEY,
      deleted_at timestamptz NOT NULL
    );
    CREATE INDEX IF NOT EXISTS refresh_families_all_user_id ON refresh_families (user_id);
    CREATE INDEX IF NOT EXISTS refresh_families_revoked_at ON refresh_families (revoked_at)
      WHERE revoked_at IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX refresh_families_revoked_at;
    DROP INDEX refresh_families_all_user_id;
    DROP TABLE deleted_clients;
    DROP TABLE deleted_users`)
}
