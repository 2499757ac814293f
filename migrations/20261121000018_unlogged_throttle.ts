import type { Knex } from 'knex'

/**
 * Counters wait for no disk. A sign-in without Redis changes nine of them, and sessions waited behind
 * all those commits. A database that crashes forgets them, as a Redis does.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE throttle SET UNLOGGED')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE throttle SET LOGGED')
}
