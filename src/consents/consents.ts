import type { Knex } from 'knex'
import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

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

const consentOf = (row: ConsentRow): Consent => ({
  clientId: row.client_id,
  scopes: row.scopes,
  grantedAt: row.granted_at,
})

const mostListed = 500

/** The table of consents. A consent grows with each scope that is allowed, until it is withdrawn. */
export class Consents {
  readonly #db: Knex
  readonly #now: Now

  constructor(db: Knex, now: Now) {
    this.#db = db
    this.#now = now
  }

  async find(userId: string, clientId: string): Promise<Consent | undefined> {
    const row: ConsentRow | undefined = await this.#db('consents')
      .where({ user_id: userId, client_id: clientId })
      .first()
    return row && consentOf(row)
  }

  /** Adds scopes to a consent; of two at once neither is lost. */
  async allow(
    userId: string,
    clientId: string,
    scopes: readonly string[],
    db: Db = this.#db,
  ): Promise<void> {
    await db.raw(
      `INSERT INTO consents (user_id, client_id, scopes, granted_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (user_id, client_id) DO UPDATE
         SET granted_at = excluded.granted_at,
             scopes = ARRAY(SELECT DISTINCT unnest(consents.scopes || excluded.scopes) ORDER BY 1)`,
      [userId, clientId, [...scopes], this.#now()],
    )
  }

  /** @returns whether there was one */
  async withdraw(userId: string, clientId: string, db: Db = this.#db): Promise<boolean> {
    const rows = await db('consents').where({ user_id: userId, client_id: clientId }).delete()
    return rows > 0
  }

  /** Newest first. */
  async list(userId: string): Promise<Consent[]> {
    const rows: ConsentRow[] = await this.#db('consents')
      .where({ user_id: userId })
      .orderBy('granted_at', 'desc')
      .limit(mostListed)
    return rows.map(consentOf)
  }
}
