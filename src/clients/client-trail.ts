import type { Knex } from 'knex'
import { type Actor, byActor } from '../audit/actor.ts'
import type { AuditEventName, AuditTrail } from '../audit/audit-log.ts'

/** What was done to a client, in the transaction that does it. */
export class ClientTrail {
  readonly #audit: AuditTrail

  constructor(audit: AuditTrail) {
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
