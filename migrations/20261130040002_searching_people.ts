import type { Knex } from 'knex'

/**
 * Lists of users use an index, however large the table is. On a large table build these
 * before the upgrade: docs/operations.md.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX IF NOT EXISTS users_roles ON users USING gin (roles) WHERE roles <> '{}';
    CREATE INDEX IF NOT EXISTS users_disabled ON users (id) WHERE disabled_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS users_unverified ON users (id)
      WHERE email_verified_at IS NULL AND email IS NOT NULL;
    CREATE INDEX IF NOT EXISTS users_username_prefix ON users (lower(username) text_pattern_ops);
    CREATE INDEX IF NOT EXISTS users_email_prefix ON users (lower(email) text_pattern_ops)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX users_email_prefix, users_username_prefix, users_unverified, users_disabled,
               users_roles`)
}
