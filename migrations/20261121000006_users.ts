import type { Knex } from 'knex'

/** A user. `id` is the `sub` of their tokens and is never reused. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE users (
      id                  uuid PRIMARY KEY,
      username            text NOT NULL CHECK (length(username) BETWEEN 1 AND 200),
      password_hash       text NOT NULL,
      password_changed_at timestamptz NOT NULL,
      roles               text[] NOT NULL,
      created_at          timestamptz NOT NULL,
      disabled_at         timestamptz
    );
    CREATE UNIQUE INDEX users_username ON users (lower(username))`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE users')
}
