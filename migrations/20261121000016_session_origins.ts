import type { Knex } from 'knex'

/** Where a session began, so that a person can tell their sessions apart. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE refresh_families ADD COLUMN ip inet, ADD COLUMN user_agent text')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE refresh_families DROP COLUMN ip, DROP COLUMN user_agent')
}
