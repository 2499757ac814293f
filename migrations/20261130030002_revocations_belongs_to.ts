import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Revocations of single tokens by session or client. */
export const online: readonly IndexStep[] = [
  {
    index: 'revocations_belongs_to',
    table: 'revocations',
    on: '(belongs_to, expires_at) WHERE belongs_to IS NOT NULL',
  },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
