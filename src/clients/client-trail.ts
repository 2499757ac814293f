import type { Knex } from 'knex'
import { type Actor, byActor } from '../audit/actor.ts'
import type { AuditEvent, AuditEventName } from '../audit/audit-log.ts'
import type { Db } from '../stores/postgres.ts'

/** What was done to a client, in the transaction that does it. */
export class ClientTrail {
  readonly #audit: { record(event: AuditEvent, db?: Db): Promise<void> }

  constructor(audit: { record(event: AuditEvent, db?: Db): Promise<void> }) {
    this.#audit = audit
  }

  record(
    trx: Knex.Transaction,
    event: AuditEventName,
    clientId: string,
    actor: Actor,
    detail: Record<string, unknown> = {},
  ): Promise<void> {
    const told = { event, clientId, ip: actor.ip, detail: { ...byActor(actor), ...detail } }
    return this.#audit.record(told, trx)
  }
}
