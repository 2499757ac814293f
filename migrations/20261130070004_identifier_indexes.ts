import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Users by the columns of 20261130060001 and 20261130070002. */
export const online: readonly IndexStep[] = [
  {
    index: 'users_username_key',
    unique: true,
    table: 'users',
    on: '(username_key) WHERE username_key IS NOT NULL',
  },
  {
    index: 'users_email_key',
    unique: true,
    table: 'users',
    on: '(email_key) WHERE email_key IS NOT NULL',
  },
  {
    index: 'users_verify_by',
    table: 'users',
    on: '(verify_by) WHERE verify_by IS NOT NULL AND email_verified_at IS NULL',
  },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
