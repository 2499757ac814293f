import type { Knex } from 'knex'

/** Random secrets that every instance shares, each sealed by a master key: a dump alone opens none. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE sealed_secrets (
      name          text PRIMARY KEY,
      secret_jwe    text NOT NULL,
      master_key_id text NOT NULL,
      created_at    timestamptz NOT NULL
    )`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE sealed_secrets')
}
