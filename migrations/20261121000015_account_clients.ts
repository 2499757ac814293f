import type { Knex } from 'knex'

/** True if the client accepts users whose address is not verified yet. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE clients ADD COLUMN lets_unverified_in boolean NOT NULL DEFAULT false')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE clients DROP COLUMN lets_unverified_in')
}
