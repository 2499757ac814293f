import type { Knex } from 'knex'

/** On a large table build these before the upgrade: docs/operations.md. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE UNIQUE INDEX IF NOT EXISTS users_username_key ON users (username_key)
      WHERE username_key IS NOT NULL;
    CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON users (email_key)
      WHERE email_key IS NOT NULL;
    CREATE INDEX IF NOT EXISTS users_verify_by ON users (verify_by)
      WHERE verify_by IS NOT NULL AND email_verified_at IS NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX users_verify_by, users_email_key, users_username_key')
}
