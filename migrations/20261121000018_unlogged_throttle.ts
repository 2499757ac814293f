import type { Knex } from 'knex'

/**
 * Counters do not wait for the disk. A sign-in without Redis changes nine of them, and sessions waited
 * behind all those commits. A database that crashes forgets them, as Redis does.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE throttle SET UNLOGGED')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE throttle SET LOGGED')
}
