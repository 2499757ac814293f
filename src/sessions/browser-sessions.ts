import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now, secondsBetween } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { inShardOf } from '../shard.ts'
import type { Statements } from '../stores/statements.ts'
import { BrowserReads } from './browser-reads.ts'
import {
  type BrowserSession,
  type BrowserSessionCodec,
  type BrowserSessionRow,
  browserSessionOf,
} from './browser-session.ts'
import { insertOnce, lockWelcome, type NewBrowserSession, rowOf } from './new-browser-session.ts'
import { noteNewDevice } from './new-device.ts'
import type { RefreshFamilies } from './refresh-families.ts'
import { readBrowserSession } from './session-reads.ts'

interface Dependencies {
  readonly db: Knex
  readonly statements: Statements
  readonly codec: BrowserSessionCodec
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
  readonly idleSeconds: number
  readonly absoluteSeconds: number
}

/** A browser session and what decides whether its person may go on. */
export interface SignedInBrowser {
  readonly session: BrowserSession
  readonly mustChangePassword: boolean
  /** The person has an address that is not verified. */
  readonly isUnverified: boolean
  readonly passwordChangedAt: Date
  /** BCP 47: the language that the person has chosen. */
  readonly locale: string | null
}

/** A browser session as its person sees it in the list. */
export interface ListedBrowserSession extends BrowserSession {
  /** To within a few minutes. */
  readonly lastUsedAt: Date
}

export interface BegunBrowserSession {
  readonly session: BrowserSession
  readonly cookie: string
  /** False if a first copy of the same form has begun it. */
  readonly isNew: boolean
}

/** Another sign-in ends the oldest session, so that each is in the list, and rows do not pile up. */
const mostLive = 200
/** The idle expiry of a session is written at most this often. */
const touchSeconds = 300
/** How long the cookie of the version before is accepted, for requests that were under way. */
const formerCookieSeconds = 30
/** A form that is sent again within this time gets the session that its first copy began. */
const repeatSeconds = 60

/** Browsers in which people are signed in here: single sign-on. */
export class BrowserSessions {
  readonly #deps: Dependencies
  readonly #reads: BrowserReads

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#reads = new BrowserReads(deps.statements, deps.now)
  }

  /**
   * Begins the session of a browser, once, and ends the one that it replaces.
   * @returns undefined if the person was disabled, or the password changed, since they were checked
   */
  async begin(request: NewBrowserSession): Promise<BegunBrowserSession | undefined> {
    const { families, revocations, outbox, audit, codec, now } = this.#deps
    const row = rowOf(request, now(), this.#deps)
    return revocations.decide(async (change) => {
      const { trx } = change
      const person = await lockWelcome(trx, request.user)
      if (!person) return undefined
      let inserted = await insertOnce(trx, row)
      if (!inserted) {
        const first: BrowserSessionRow | undefined = await trx('browser_sessions')
          .where({ id: row.id, user_id: row.user_id, revoked_at: null })
          .where('created_at', '>', later(now(), -repeatSeconds))
          .first()
        if (first) return begun(first, codec, false)
        // An old form, or another person's: it begins a session of its own.
        inserted = await insertOnce(trx, { ...row, id: inShardOf(row.user_id) })
        if (!inserted) return undefined
      }
      await noteNewDevice(trx, outbox, { ...person, at: now() }, request)
      const former = request.replaces && codec.decode(request.replaces)
      if (former) await families.endBrowsers(change, { id: former.id }, 'replaced')
      for (const id of await surplusOf(trx, row.user_id, now())) {
        await families.endBrowsers(change, { id }, 'session_limit')
      }
      const event = { event: 'user.signed_in', userId: row.user_id, ip: request.ip } as const
      await audit.record({ ...event, detail: { browser_session: inserted.id } }, trx)
      return begun(inserted, codec, true)
    })
  }

  /** Finds the live session of a cookie. */
  async find(cookie: string): Promise<SignedInBrowser | undefined> {
    const { codec, now } = this.#deps
    const content = codec.decode(cookie)
    if (!content) return undefined
    const row = await this.#reads.find(content.id)
    const at = now()
    if (!row || !isCurrent(row, content.version, at)) return undefined
    const session = browserSessionOf(row)
    await this.#touch(session, at)
    return {
      session,
      mustChangePassword: row.must_change_password,
      isUnverified: row.is_unverified,
      passwordChangedAt: row.password_changed_at,
      locale: row.locale,
    }
  }

  /**
   * The person of a session has authenticated again, and the cookie changes. A form that is sent twice
   * changes it once. A session that lasts goes on lasting.
   * @returns undefined if the session ended meanwhile
   */
  async reauthenticate(
    { session }: SignedInBrowser,
    proof: Pick<
      NewBrowserSession,
      'user' | 'authTime' | 'amr' | 'acr' | 'requestId' | 'remembered' | 'ip'
    >,
  ): Promise<BegunBrowserSession | undefined> {
    const { db, audit, codec, now } = this.#deps
    const { user, authTime, amr, acr, ip } = proof
    const requestId = proof.requestId ?? null
    return db.transaction(async (trx) => {
      if (!(await lockWelcome(trx, user))) return undefined
      const current: BrowserSessionRow | undefined = await trx('browser_sessions')
        .where({ id: session.id, user_id: user.id, revoked_at: null })
        .where('expires_at', '>', now())
        .forUpdate()
        .first()
      if (!current) return undefined
      const remembered = current.remembered || proof.remembered
      const isRepeated =
        current.authenticated_for === requestId &&
        current.remembered === remembered &&
        secondsBetween(current.auth_time, now()) < repeatSeconds
      if (isRepeated) return begun(current, codec, false)
      const [row]: BrowserSessionRow[] = await trx('browser_sessions')
        .where({ id: session.id })
        .update({
          version: current.version + 1,
          auth_time: authTime,
          amr: [...amr],
          acr,
          authenticated_for: requestId,
          remembered,
        })
        .returning('*')
      const event = { event: 'user.reauthenticated', userId: user.id, ip } as const
      await audit.record({ ...event, detail: { browser_session: session.id } }, trx)
      return row && begun(row, codec, true)
    })
  }

  /** The check that a cookie fails by itself, or its session in any state: for operators. */
  async foresee(cookie: string): Promise<
    | { readonly fault: 'form' | 'signature' }
    | {
        readonly id: string
        readonly row: BrowserSessionRow | undefined
        readonly isCurrent: boolean
      }
  > {
    const { db, codec, now } = this.#deps
    const content = codec.decode(cookie)
    if (!content) return { fault: codec.faultOf(cookie) ?? 'signature' }
    const { id, version } = content
    const row = await readBrowserSession(db, id)
    return { id, row, isCurrent: row !== undefined && isCurrent(row, version, now()) }
  }

  /** Why the session of a cookie has ended; undefined while it lives, or if it never was. */
  async endReason(cookie: string): Promise<string | undefined> {
    const { db, codec } = this.#deps
    const content = codec.decode(cookie)
    if (!content) return undefined
    const row = await db('browser_sessions').where({ id: content.id }).first('revoked_reason')
    return row?.revoked_reason ?? undefined
  }

  /** True if a browser session of this person was ended. */
  async hasEnded(userId: string, id: string): Promise<boolean> {
    const row = await this.#deps
      .db('browser_sessions')
      .where({ id, user_id: userId })
      .whereNotNull('revoked_at')
      .first('id')
    return row !== undefined
  }

  /** The person of a session has chosen it for an authorization request. */
  async choose({ session }: SignedInBrowser, requestId: string): Promise<void> {
    await this.#deps
      .db('browser_sessions')
      .where({ id: session.id, revoked_at: null })
      .update({ chosen_for: requestId })
  }

  /** The session that a first copy of the same form began a moment ago. */
  async begunBefore(id: string, userId: string): Promise<BegunBrowserSession | undefined> {
    const { db, codec, now } = this.#deps
    const row: BrowserSessionRow | undefined = await db('browser_sessions')
      .where({ id, user_id: userId, revoked_at: null })
      .where('created_at', '>', later(now(), -repeatSeconds))
      .first()
    return row && begun(row, codec, false)
  }

  /** Lists the live browser sessions of a person, newest first. */
  async list(userId: string): Promise<ListedBrowserSession[]> {
    const { db, now, idleSeconds } = this.#deps
    const rows: BrowserSessionRow[] = await db('browser_sessions')
      .where({ user_id: userId, revoked_at: null })
      .where('expires_at', '>', now())
      .where('idle_expires_at', '>', now())
      .orderBy('id', 'desc')
      .limit(mostLive)
    return rows.map((row) => {
      // Each use moves the idle expiry, unless that would be later than the end of the session.
      const moved = later(row.idle_expires_at, -idleSeconds)
      const lastUsedAt = moved > row.auth_time ? moved : row.auth_time
      return { ...browserSessionOf(row), lastUsedAt }
    })
  }

  async #touch({ id, idleExpiresAt, expiresAt }: BrowserSession, at: Date): Promise<void> {
    const { db, idleSeconds } = this.#deps
    const isFresh = secondsBetween(at, idleExpiresAt) > idleSeconds - touchSeconds
    if (isFresh || idleExpiresAt >= expiresAt) return
    const until = later(at, idleSeconds)
    const idle_expires_at = until < expiresAt ? until : expiresAt
    await db('browser_sessions').where({ id, revoked_at: null }).update({ idle_expires_at })
  }
}

/** The oldest live sessions of a person who has more than the limit, idle ones among them. */
const surplusOf = (trx: Knex.Transaction, userId: string, now: Date): Promise<string[]> =>
  trx('browser_sessions')
    .where({ user_id: userId, revoked_at: null })
    .where('expires_at', '>', now)
    .orderBy([
      { column: 'created_at', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .offset(mostLive)
    .pluck('id')

const begun = (
  row: BrowserSessionRow,
  codec: BrowserSessionCodec,
  isNew: boolean,
): BegunBrowserSession => ({
  session: browserSessionOf(row),
  cookie: codec.encode(row),
  isNew,
})

/** The cookie of the version before is accepted for a moment after a re-authentication. */
function isCurrent(row: BrowserSessionRow, version: number, now: Date): boolean {
  if (row.version === version) return true
  const age = secondsBetween(row.auth_time, now)
  return row.version === version + 1 && age < formerCookieSeconds
}
