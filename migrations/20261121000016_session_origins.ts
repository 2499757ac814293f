import type { Knex } from 'knex'

/** The device and address of the sign-in, by which users recognize their sessions. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE refresh_families ADD COLUMN ip inet, ADD COLUMN user_agent text')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE refresh_families DROP COLUMN ip, DROP COLUMN user_agent')
}
