import type { Knex } from 'knex'

/** Revocations of single tokens by session or client. On a large table build it first: docs/operations.md. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS revocations_belongs_to ON revocations (belongs_to, expires_at)
      WHERE belongs_to IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX revocations_belongs_to')
}
