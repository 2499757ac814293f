import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Finds the sessions that end when a browser signs out. */
export const online: readonly IndexStep[] = [
  {
    index: 'refresh_families_browser_session_id',
    table: 'refresh_families',
    on: '(browser_session_id) WHERE browser_session_id IS NOT NULL AND revoked_at IS NULL',
  },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
