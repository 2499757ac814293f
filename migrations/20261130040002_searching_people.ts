import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Lists of users use an index, however large the table is. */
export const online: readonly IndexStep[] = [
  { index: 'users_roles', table: 'users', on: `USING gin (roles) WHERE roles <> '{}'` },
  { index: 'users_disabled', table: 'users', on: '(id) WHERE disabled_at IS NOT NULL' },
  {
    index: 'users_unverified',
    table: 'users',
    on: '(id) WHERE email_verified_at IS NULL AND email IS NOT NULL',
  },
  { index: 'users_username_prefix', table: 'users', on: '(lower(username) text_pattern_ops)' },
  { index: 'users_email_prefix', table: 'users', on: '(lower(email) text_pattern_ops)' },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
