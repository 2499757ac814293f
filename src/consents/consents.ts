import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { AuthorizationCodes } from '../sessions/authorization-codes.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'

/** The scopes that a person has allowed a client. */
export interface Consent {
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly grantedAt: Date
}

interface ConsentRow {
  user_id: string
  client_id: string
  scopes: string[]
  granted_at: Date
}

/** A consent is for one client, and not for a later one that got the id of a deleted one. */
interface ConsentingClient {
  readonly id: string
  readonly createdAt: Date
}

interface NewConsent {
  readonly userId: string
  readonly client: ConsentingClient
  readonly scopes: readonly string[]
  readonly ip: string
}

interface Dependencies {
  readonly db: Knex
  readonly codes: AuthorizationCodes
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly now: Now
}

const consentOf = (row: ConsentRow): Consent => ({
  clientId: row.client_id,
  scopes: row.scopes,
  grantedAt: row.granted_at,
})

const mostListed = 500

/** The table of consents. A consent grows with each scope that is allowed, until it is withdrawn. */
export class Consents {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  async find(userId: string, client: ConsentingClient): Promise<Consent | undefined> {
    const row: ConsentRow | undefined = await this.#deps
      .db('consents')
      .where({ user_id: userId, client_id: client.id })
      .where('granted_at', '>=', client.createdAt)
      .first()
    return row && consentOf(row)
  }

  /** Adds scopes to a consent; of two at once neither is lost. */
  async allow({ userId, client, scopes, ip }: NewConsent): Promise<void> {
    const { db, audit, now } = this.#deps
    await db.transaction(async (trx) => {
      const { rows } = await trx.raw<{ rows: { added: boolean }[] }>(
        `INSERT INTO consents (user_id, client_id, scopes, granted_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (user_id, client_id) DO UPDATE
           SET granted_at = excluded.granted_at,
               scopes = CASE WHEN consents.granted_at < ? THEN excluded.scopes
                             ELSE ARRAY(SELECT DISTINCT unnest(consents.scopes || excluded.scopes) ORDER BY 1)
                        END
             WHERE consents.granted_at < ? OR NOT consents.scopes @> excluded.scopes
         RETURNING true AS added`,
        [userId, client.id, [...scopes], now(), client.createdAt, client.createdAt],
      )
      if (rows.length === 0) return
      const event = { event: 'consent.given', userId, clientId: client.id, ip } as const
      await audit.record({ ...event, detail: { scopes } }, trx)
    })
  }

  /**
   * Withdraws a consent: the client loses it, its codes and its sessions of this person, with all their
   * access tokens, in one transaction (ASVS 10.7.3). Code, consent, sessions: a redemption locks them in the
   * same order, so neither waits for the other in turn, and a session that it begins is found here.
   * @returns whether the client had anything
   */
  async withdraw(userId: string, clientId: string, ip?: string): Promise<boolean> {
    const { codes, families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      await codes.deleteOf(trx, userId, clientId)
      const consents = await trx('consents')
        .where({ user_id: userId, client_id: clientId })
        .delete()
      const which = { user_id: userId, client_id: clientId }
      const ended = await families.end(change, which, 'consent_withdrawn')
      if (consents === 0 && ended.length === 0) return false
      const event = { event: 'consent.withdrawn', userId, clientId, ip } as const
      await audit.record({ ...event, detail: { sessions: ended.length } }, trx)
      return true
    })
  }

  /** Newest first. */
  async list(userId: string): Promise<Consent[]> {
    const rows: ConsentRow[] = await this.#deps
      .db('consents')
      .join('clients', 'clients.id', 'client_id')
      .where({ user_id: userId })
      .whereRaw('granted_at >= clients.created_at')
      .orderBy('granted_at', 'desc')
      .limit(mostListed)
      .select('user_id', 'client_id', 'consents.scopes', 'granted_at')
    return rows.map(consentOf)
  }
}
