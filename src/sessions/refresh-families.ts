import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { LogoutDeliveries } from '../backchannel/logout-deliveries.ts'
import { later, type Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import type { Revocation } from '../revocations/revocation-log.ts'
import type { Change, Revocations } from '../revocations/revocations.ts'
import type { Statements } from '../stores/statements.ts'
import { noteNewDevice } from './new-device.ts'
import { beginAtOnce, isWelcome, type NewSession, nearLimit, rowOf } from './new-session.ts'
import { type RefreshTokenCodec, type RefreshTokenContent, seedBytes } from './refresh-token.ts'
import {
  type EndReason,
  type FamilyRow,
  isLive,
  type ListedSession,
  type Session,
  type SessionRow,
  sessionOf,
} from './session.ts'

interface Dependencies {
  readonly db: Knex
  readonly statements: Statements
  readonly codec: RefreshTokenCodec
  readonly revocations: Revocations
  readonly logoutDeliveries: LogoutDeliveries
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
  readonly sessionsPerUser: number
  /** How long a revocation must be kept: the longest lifetime of an access token and the clock skew. */
  readonly rememberSeconds: number
}

/** The sessions that go on when the others of a person end. */
export interface Kept {
  readonly sid?: string | undefined
  readonly browserSessionId?: string | undefined
}

type EndedRow = Pick<SessionRow, 'sid' | 'user_id' | 'client_id' | 'browser_session_id'>

const daySeconds = 86_400

/** The sessions of people. Each is a family of refresh tokens, RFC 9700 §4.14.2. */
export class RefreshFamilies {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Begins a session; above the limit it ends the oldest one.
   * @returns undefined if person or client was disabled, or the password changed, since they were checked
   */
  async begin(request: NewSession): Promise<{ session: Session; token: string } | undefined> {
    const { codec, statements, outbox, sessionsPerUser } = this.#deps
    const seed = randomBytes(seedBytes)
    const now = this.#deps.now()
    const row = rowOf(request, seed, now)
    const beginning = await beginAtOnce(statements, row, request, now, sessionsPerUser)
    if (beginning === 'unwelcome') return undefined
    if (beginning === 'mailed') outbox.wake()
    if (beginning === 'full' && !(await this.#beginInTurn(row, request))) return undefined
    return { session: sessionOf(row), token: codec.encode({ ...row, seed }) }
  }

  /** Begins a session under the same locks, after ending the oldest ones. */
  #beginInTurn(row: SessionRow, request: NewSession): Promise<boolean> {
    const { revocations, audit, outbox, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      if (!(await isWelcome(trx, request))) return false
      await noteNewDevice(trx, outbox, { id: row.user_id, at: now() }, request)
      await this.#endOldest(change, row.user_id, this.#deps.sessionsPerUser - 1)
      await trx('refresh_families').insert(row)
      const { user_id: userId, client_id: clientId, sid } = row
      await audit.record({ event: 'user.signed_in', userId, clientId, sid, ip: request.ip }, trx)
      return true
    })
  }

  /** Finds the live session of a token if it is the newest one, for introspection. */
  async find(token: string | RefreshTokenContent): Promise<Session | undefined> {
    const content = this.#contentOf(token)
    const row = content && (await this.load(content))
    // A token that is ahead of its row is the newest: the database has lost generations.
    if (!row || row.generation > content.generation) return undefined
    if (row.user_disabled_at || row.client_disabled_at) return undefined
    return isLive(row, this.#deps.now()) ? sessionOf(row) : undefined
  }

  /**
   * Finds the session of a token of any generation, live or not: revoking a spent token must end its
   * session as well.
   */
  async findByAnyGeneration(
    token: string | RefreshTokenContent,
  ): Promise<{ sid: string; userId: string; clientId: string } | undefined> {
    const content = this.#contentOf(token)
    const row = content && (await this.load(content))
    return row && { sid: row.sid, userId: row.user_id, clientId: row.client_id }
  }

  /** The claims that the authorization request of a session named for userinfo. */
  async requestedClaims(sid: string): Promise<readonly string[]> {
    const row = await this.#deps.db('refresh_families').where({ sid }).first('claims')
    const named: unknown = row?.claims?.userinfo
    return Array.isArray(named) ? named : []
  }

  #contentOf(token: string | RefreshTokenContent): RefreshTokenContent | undefined {
    return typeof token === 'string' ? this.#deps.codec.decode(token) : token
  }

  /**
   * Ends live sessions and revokes their access tokens, by the `sid` of each session. Ending all sessions of
   * a person signs their browsers out as well. Clients with a back-channel logout URI are notified.
   */
  async end(
    change: Change,
    which: { sid: string } | { user_id: string } | { user_id: string; client_id: string },
    reason: EndReason,
    keep: Kept = {},
  ): Promise<string[]> {
    const isEverywhere = 'user_id' in which && Object.keys(which).length === 1
    if (isEverywhere) await this.#signOutBrowsers(change.trx, which.user_id, reason, keep)
    const live = change.trx<SessionRow>('refresh_families').where(which).whereNull('revoked_at')
    if (keep.sid) live.whereNot('sid', keep.sid)
    if (keep.browserSessionId) {
      live.whereRaw('browser_session_id IS DISTINCT FROM ?', [keep.browserSessionId])
    }
    return this.#end(change, live, reason)
  }

  /**
   * Signs browsers out, and ends the sessions of clients that began from them, except those that outlive
   * the browser. Two statements, because one would not see a session that was committed while it waited
   * for the row of the browser.
   * @returns the ended sessions of clients, and the person; undefined if the browser was not signed in
   */
  async endBrowsers(
    change: Change,
    which: { id: string; user_id?: string },
    reason: EndReason,
  ): Promise<{ readonly sids: readonly string[]; readonly userId: string | undefined }> {
    const { trx } = change
    const [browser]: { user_id: string }[] = await trx('browser_sessions')
      .where(which)
      .whereNull('revoked_at')
      .update({ revoked_at: this.#deps.now(), revoked_reason: reason })
      .returning('user_id')
    if (!browser) return { sids: [], userId: undefined }
    const live = trx<SessionRow>('refresh_families')
      .where({ browser_session_id: which.id, outlives_browser: false })
      .whereNull('revoked_at')
    return { sids: await this.#end(change, live, reason), userId: browser.user_id }
  }

  /** The browser that a session began from. */
  async browserOf(
    sid: string,
    userId: string,
    db: Knex = this.#deps.db,
  ): Promise<string | undefined> {
    const row = await db('refresh_families')
      .where({ sid, user_id: userId })
      .first('browser_session_id')
    return row?.browser_session_id ?? undefined
  }

  async #signOutBrowsers(trx: Knex.Transaction, userId: string, reason: EndReason, keep: Kept) {
    const kept = keep.sid
      ? trx('refresh_families').where({ sid: keep.sid }).select('browser_session_id')
      : undefined
    const live = trx('browser_sessions').where({ user_id: userId }).whereNull('revoked_at')
    if (kept) live.whereRaw('id IS DISTINCT FROM (?)', [kept])
    if (keep.browserSessionId) live.whereNot({ id: keep.browserSessionId })
    await live.update({ revoked_at: this.#deps.now(), revoked_reason: reason })
  }

  async #end(
    { trx, revoke }: Change,
    live: Knex.QueryBuilder,
    reason: EndReason,
  ): Promise<string[]> {
    const ended: EndedRow[] = await live
      .update({ revoked_at: this.#deps.now(), revoked_reason: reason })
      .returning(['sid', 'user_id', 'client_id', 'browser_session_id'])
    await revoke(...ended.map((row) => this.#revocationOf(row)))
    const ofBrowsers = ended.filter((row) => row.browser_session_id !== null)
    await this.#deps.logoutDeliveries.put(trx, ofBrowsers)
    return ended.map(({ sid }) => sid)
  }

  /** Ends sessions whose revocation is in the log already. */
  async endRevoked(trx: Knex.Transaction, sids: readonly string[]): Promise<void> {
    await trx('refresh_families')
      .whereIn('sid', [...sids])
      .whereNull('revoked_at')
      .update({ revoked_at: this.#deps.now(), revoked_reason: 'revocation_recovered' })
  }

  /**
   * The revocation of every access token with this `sid`. Web apps have sessions of their own by the `sid` of
   * an id token, which outlive every access token: theirs is remembered for a day, and `signet/verifier`
   * lets no app go longer without a check.
   */
  #revocationOf({ sid, browser_session_id }: EndedRow): Revocation {
    const { now, rememberSeconds } = this.#deps
    const seconds =
      browser_session_id === null ? rememberSeconds : Math.max(rememberSeconds, daySeconds)
    return { kind: 'sid', value: sid, expiresAt: later(now(), seconds) }
  }

  /** Lists the live sessions of a person, newest first; those of disabled clients are left out. */
  async list(userId: string): Promise<ListedSession[]> {
    const now = this.#deps.now()
    const rows: SessionRow[] = await this.#deps
      .db('refresh_families')
      .where({ user_id: userId, revoked_at: null })
      .where('expires_at', '>', now)
      .where('idle_expires_at', '>', now)
      .whereExists((client) =>
        client
          .from('clients')
          .whereRaw('clients.id = refresh_families.client_id')
          .whereNull('disabled_at'),
      )
      .orderBy('sid', 'desc')
    return rows.map((row) => ({
      ...sessionOf(row),
      ip: row.ip,
      userAgent: row.user_agent,
      lastUsedAt: row.rotated_at ?? row.auth_time,
    }))
  }

  /** Loads the family of a token with its person and client; undefined if the seed is another one. */
  async load(content: RefreshTokenContent): Promise<FamilyRow | undefined> {
    const row: FamilyRow | undefined = await this.#deps
      .db('refresh_families')
      .join('users', 'users.id', 'refresh_families.user_id')
      .join('clients', 'clients.id', 'refresh_families.client_id')
      .where({ sid: content.sid })
      .first(
        'refresh_families.*',
        'users.roles',
        'users.disabled_at as user_disabled_at',
        'clients.disabled_at as client_disabled_at',
      )
    return row?.seed_digest.equals(digestSecret(content.seed)) ? row : undefined
  }

  /** With as many live sessions, a person may soon have more than the limit. */
  get nearLimit(): number {
    return nearLimit(this.#deps.sessionsPerUser)
  }

  /** Ends the oldest sessions of a person who has more than the limit. */
  async endSurplus(userId: string): Promise<void> {
    const { db, sessionsPerUser, revocations, now } = this.#deps
    const surplus = await db('refresh_families')
      .where({ user_id: userId })
      .whereNull('revoked_at')
      .where('expires_at', '>', now())
      .where('idle_expires_at', '>', now())
      .offset(sessionsPerUser)
      .first('sid')
    if (!surplus) return
    await revocations.decide(async (change) => {
      // Sign-ins that come at once take turns, so that each session ends once.
      await change.trx('users').where({ id: userId }).forNoKeyUpdate().first('id')
      await this.#endOldest(change, userId, sessionsPerUser)
    })
  }

  async #endOldest(change: Change, userId: string, kept: number): Promise<void> {
    const { now, audit } = this.#deps
    const surplus: string[] = await change
      .trx('refresh_families')
      .where({ user_id: userId })
      .whereNull('revoked_at')
      .where('expires_at', '>', now())
      .where('idle_expires_at', '>', now())
      .orderBy('sid', 'desc')
      .offset(kept)
      .pluck('sid')
    for (const sid of surplus) {
      await this.end(change, { sid }, 'session_limit')
      await audit.record({ event: 'session.limit_reached', userId, sid }, change.trx)
    }
  }
}
