import type { Knex } from 'knex'

/** The browser that a session began from; absent for sessions that began with a password at a client. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE refresh_families
      ADD COLUMN IF NOT EXISTS browser_session_id uuid,
      ADD COLUMN outlives_browser   boolean NOT NULL DEFAULT false,
      ADD COLUMN acr                text,
      ADD COLUMN claims             jsonb`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE refresh_families
      DROP COLUMN claims,
      DROP COLUMN acr,
      DROP COLUMN outlives_browser,
      DROP COLUMN browser_session_id`)
}
