import type { Knex } from 'knex'

/**
 * Links by which users say that a sign-in was not theirs. The table has the links of a week at most, so that
 * its rows are checked at once.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE one_time_tokens DROP CONSTRAINT one_time_tokens_purpose_check;
    ALTER TABLE one_time_tokens ADD CONSTRAINT one_time_tokens_purpose_check
      CHECK (purpose IN ('email_verification', 'password_reset', 'disowned_sign_in'))`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM one_time_tokens WHERE purpose = 'disowned_sign_in';
    ALTER TABLE one_time_tokens DROP CONSTRAINT one_time_tokens_purpose_check;
    ALTER TABLE one_time_tokens ADD CONSTRAINT one_time_tokens_purpose_check
      CHECK (purpose IN ('email_verification', 'password_reset'))`)
}
