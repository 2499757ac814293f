import type { Knex } from 'knex'

/** Whether the application lets people in whose address is not proven yet. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE clients ADD COLUMN lets_unverified_in boolean NOT NULL DEFAULT false')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE clients DROP COLUMN lets_unverified_in')
}
