import type { Knex } from 'knex'

/** A user has a username, an email address, or both. An address counts once it is verified. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE users
      ALTER COLUMN username DROP NOT NULL,
      ADD COLUMN email                text CHECK (length(email) BETWEEN 3 AND 254),
      ADD COLUMN email_verified_at    timestamptz,
      ADD COLUMN full_name            text CHECK (length(full_name) BETWEEN 1 AND 200),
      ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
      ADD CHECK (username IS NOT NULL OR email IS NOT NULL),
      ADD CHECK (email IS NOT NULL OR email_verified_at IS NULL);
    CREATE UNIQUE INDEX users_email ON users (lower(email));
    CREATE INDEX users_created_at ON users (created_at, id)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM users WHERE username IS NULL;
    ALTER TABLE users
      ALTER COLUMN username SET NOT NULL,
      DROP COLUMN email,
      DROP COLUMN email_verified_at,
      DROP COLUMN full_name,
      DROP COLUMN must_change_password;
    DROP INDEX users_created_at`)
}
