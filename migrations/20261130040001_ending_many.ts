import type { Knex } from 'knex'

/**
 * Deleting a person or a client deletes one row, whatever they have: sessions are ended, and what the
 * audit trail says about the person is erased, in batches afterwards (ADR 27). So sessions have no
 * foreign keys any more: a session counts only together with its person and its client.
 *
 * On a table of more than some ten million rows build the indexes before the upgrade, with CREATE INDEX
 * CONCURRENTLY under the same names: docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE refresh_families
      DROP CONSTRAINT refresh_families_user_id_fkey,
      DROP CONSTRAINT refresh_families_client_id_fkey;
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
      WHERE revoked_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS outgoing_mail_recipient ON outgoing_mail (lower(recipient))`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX outgoing_mail_recipient;
    DROP INDEX refresh_families_revoked_at;
    DROP INDEX refresh_families_all_user_id;
    DROP TABLE deleted_clients;
    DROP TABLE deleted_users;
    DELETE FROM refresh_families AS family
     WHERE NOT EXISTS (SELECT FROM users WHERE users.id = family.user_id)
        OR NOT EXISTS (SELECT FROM clients WHERE clients.id = family.client_id);
    ALTER TABLE refresh_families
      ADD CONSTRAINT refresh_families_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
      ADD CONSTRAINT refresh_families_client_id_fkey
        FOREIGN KEY (client_id) REFERENCES clients ON DELETE CASCADE`)
}
