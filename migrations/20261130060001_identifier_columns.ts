import type { Knex } from 'knex'

/** Normalized names by which users are found (ADR 28). */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE users
      ADD COLUMN IF NOT EXISTS username_key text,
      ADD COLUMN IF NOT EXISTS email_key text`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE users DROP COLUMN username_key, DROP COLUMN email_key')
}
