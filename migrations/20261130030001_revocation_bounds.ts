import type { Knex } from 'knex'

/**
 * The longest lives of access tokens that instances have issued, each until the last such token has
 * expired; and to which session, or client, the revocation of a single token belongs.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE access_token_lives (
      seconds integer PRIMARY KEY CHECK (seconds > 0),
      until   timestamptz NOT NULL
    );
    ALTER TABLE revocations ADD COLUMN belongs_to text;
    CREATE INDEX revocations_belongs_to ON revocations (belongs_to, expires_at)
      WHERE belongs_to IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX revocations_belongs_to;
    ALTER TABLE revocations DROP COLUMN belongs_to;
    DROP TABLE access_token_lives`)
}
