import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** API keys by the client that they end with. */
export const online: readonly IndexStep[] = [
  { index: 'api_keys_client_id', table: 'api_keys', on: '(client_id) WHERE client_id IS NOT NULL' },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
