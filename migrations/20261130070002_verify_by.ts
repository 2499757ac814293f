import type { Knex } from 'knex'

/**
 * The time until which a user who registered has to verify the address. Null for users who were added
 * by others, and for registrations of the previous release: they are never deleted.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE users ADD COLUMN IF NOT EXISTS verify_by timestamptz')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE users DROP COLUMN verify_by')
}
