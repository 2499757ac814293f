import type { Knex } from 'knex'

/** The authorization request for which a person chose to go on: a choice is not an authentication. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE browser_sessions ADD COLUMN chosen_for uuid')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE browser_sessions DROP COLUMN chosen_for')
}
