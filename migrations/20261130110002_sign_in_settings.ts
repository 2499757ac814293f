import type { Knex } from 'knex'

/** Settings of clients that people sign in to, and the language of a person. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE clients
      ADD COLUMN redirect_uris             text[] NOT NULL DEFAULT '{}',
      ADD COLUMN post_logout_redirect_uris text[] NOT NULL DEFAULT '{}',
      ADD COLUMN backchannel_logout_uri    text,
      ADD COLUMN initiate_login_uri        text,
      ADD COLUMN client_uri                text,
      ADD COLUMN policy_uri                text,
      ADD COLUMN tos_uri                   text,
      ADD COLUMN accent_color              text,
      ADD COLUMN require_pkce              boolean NOT NULL DEFAULT true,
      ADD COLUMN consent                   text CHECK (consent IN ('always', 'remember', 'skip')),
      ADD COLUMN default_max_age           integer CHECK (default_max_age >= 0);
    ALTER TABLE users
      ADD COLUMN locale text`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE users DROP COLUMN locale;
    ALTER TABLE clients
      DROP COLUMN default_max_age,
      DROP COLUMN consent,
      DROP COLUMN require_pkce,
      DROP COLUMN accent_color,
      DROP COLUMN tos_uri,
      DROP COLUMN policy_uri,
      DROP COLUMN client_uri,
      DROP COLUMN initiate_login_uri,
      DROP COLUMN backchannel_logout_uri,
      DROP COLUMN post_logout_redirect_uris,
      DROP COLUMN redirect_uris`)
}
