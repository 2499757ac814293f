import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

export const online: readonly IndexStep[] = [
  { index: 'refresh_families_all_user_id', table: 'refresh_families', on: '(user_id)' },
  {
    index: 'refresh_families_revoked_at',
    table: 'refresh_families',
    on: '(revoked_at) WHERE revoked_at IS NOT NULL',
  },
]

/**
 * Deleting a user or a client deletes one row. Afterwards sessions are ended, and the audit trail of
 * the user is erased, in batches (ADR 27).
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
    )`)
  await createIndexes(knex, online)
}

export async function down(knex: Knex): Promise<void> {
  await dropIndexes(knex, online)
  await knex.raw('DROP TABLE deleted_clients, deleted_users')
}
