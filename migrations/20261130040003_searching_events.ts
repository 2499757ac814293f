import type { Knex } from 'knex'
import { createIndexes, dropIndexes, type IndexStep } from '../src/stores/online-steps.ts'

/** Lists of events use an index, however large the table is. */
export const online: readonly IndexStep[] = [
  { index: 'audit_events_event', table: 'audit_events', on: '(event, id)' },
  {
    index: 'audit_events_client_event',
    table: 'audit_events',
    on: '(client_id, event, id) WHERE client_id IS NOT NULL',
  },
  { index: 'audit_events_sid', table: 'audit_events', on: '(sid, id) WHERE sid IS NOT NULL' },
]

export const up = (knex: Knex): Promise<void> => createIndexes(knex, online)

export const down = (knex: Knex): Promise<void> => dropIndexes(knex, online)
