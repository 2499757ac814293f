import type { Knex } from 'knex'
import type { AuditEvent, AuditEventName } from '../audit/audit-log.ts'
import type { Db } from '../stores/postgres.ts'

/** The administrator who changes a client; nobody on the command line. */
export interface Actor {
  readonly actorId?: string | undefined
  readonly ip?: string | undefined
}

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
    { actorId, ip }: Actor,
    detail: Record<string, unknown> = {},
  ): Promise<void> {
    const by = actorId === undefined ? {} : { by: actorId }
    return this.#audit.record({ event, clientId, ip, detail: { ...by, ...detail } }, trx)
  }
}
