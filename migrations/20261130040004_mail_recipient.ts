import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Mails by recipient: they are deleted with the user. */
export const online: readonly IndexStep[] = [
  { index: 'outgoing_mail_recipient', table: 'outgoing_mail', on: '(lower(recipient))' },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
