import type { Knex } from 'knex'

/**
 * Mail that a use case decided on, written in its transaction and sent after its commit. It contains
 * no secret: the token of a link is created when the mail is rendered.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE outgoing_mail (
      id              uuid PRIMARY KEY,
      template        text NOT NULL,
      recipient       text NOT NULL,
      user_id         uuid REFERENCES users ON DELETE CASCADE,
      data            jsonb NOT NULL DEFAULT '{}',
      created_at      timestamptz NOT NULL,
      next_attempt_at timestamptz NOT NULL,
      attempts        smallint NOT NULL DEFAULT 0,
      sent_at         timestamptz,
      given_up_at     timestamptz,
      last_error      text
    );
    CREATE INDEX outgoing_mail_due ON outgoing_mail (next_attempt_at)
      WHERE sent_at IS NULL AND given_up_at IS NULL;
    CREATE INDEX outgoing_mail_created_at ON outgoing_mail (created_at);
    CREATE INDEX outgoing_mail_user_id ON outgoing_mail (user_id) WHERE user_id IS NOT NULL`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE outgoing_mail')
}
