import type { Knex } from 'knex'

/**
 * The longest lifetimes of access tokens that instances have issued, each until the last such token has
 * expired; and the session or client of the revocation of a single token.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE access_token_lives (
      seconds integer PRIMARY KEY CHECK (seconds > 0),
      until   timestamptz NOT NULL
    );
    ALTER TABLE revocations ADD COLUMN IF NOT EXISTS belongs_to text`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE revocations DROP COLUMN belongs_to;
    DROP TABLE access_token_lives`)
}
