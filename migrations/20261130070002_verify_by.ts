import type { Knex } from 'knex'

/**
 * Until when somebody who registered has to verify their address. Absent for those who were added by
 * others, and for registrations of the release before: they are never deleted.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE users ADD COLUMN IF NOT EXISTS verify_by timestamptz')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE users DROP COLUMN verify_by')
}
