import type { Knex } from 'knex'

/** Mails by recipient: they are deleted with the user. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(
    'CREATE INDEX IF NOT EXISTS outgoing_mail_recipient ON outgoing_mail (lower(recipient))',
  )
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX outgoing_mail_recipient')
}
