import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import { type Statements, statement } from '../stores/statements.ts'
import type { AuthorizationCodeCodec } from './browser-session.ts'
import type { RefreshFamilies } from './refresh-families.ts'
import { type RefreshTokenCodec, seedBytes } from './refresh-token.ts'

interface Dependencies {
  readonly statements: Statements
  readonly codec: AuthorizationCodeCodec
  readonly refreshCodec: RefreshTokenCodec
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly now: Now
}

/** An authorization that a person has given to a client in a browser. */
export interface NewCode {
  readonly browserSessionId: string
  readonly clientId: string
  readonly redirectUri: string
  readonly codeChallenge: string | undefined
  readonly nonce: string | undefined
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly claims: object | undefined
  readonly hasRefreshToken: boolean
  readonly outlivesBrowser: boolean
  /** The authorization request, if a page was shown for it: it is answered once. */
  readonly answers: string | undefined
}

/** A code as its client presents it. */
interface Presentation {
  readonly code: string
  readonly clientId: string
  readonly redirectUri: string | undefined
  /** S256 of the verifier; undefined without one. */
  readonly codeChallenge: string | undefined
  readonly idleSeconds: number
  readonly absoluteSeconds: number
  readonly ip: string
  readonly userAgent: string | undefined
}

/** The session that a code has begun. */
export interface RedeemedCode {
  readonly sid: string
  readonly userId: string
  readonly roles: readonly string[]
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly authTime: Date
  readonly amr: readonly string[]
  readonly acr: string
  readonly nonce: string | null
  readonly claims: object | null
  /** Absent unless the client stays signed in. */
  readonly refreshToken: string | undefined
}

export type CodeFailure = 'forged_code' | 'code_reused' | 'code_not_valid' | 'unknown_code'

/** RFC 6749 §4.1.2 and FAPI 2.0 §5.3.2.1: a code lives for a minute. */
const codeSeconds = 60

/** In SQL, the browser that a code is written for. */
const browser = `browser.id = $1 AND browser.revoked_at IS NULL AND browser.expires_at > $2`

const insertCode = `INSERT INTO authorization_codes
       (sid, user_id, client_id, browser_session_id, redirect_uri, code_challenge, nonce, scope, audience,
        claims, auth_time, amr, acr, password_changed_at, has_refresh_token, outlives_browser, expires_at)
     SELECT $4, users.id, clients.id, browser.id, $5, $6, $7, $8, $9, $10::jsonb, browser.auth_time,
            browser.amr, browser.acr, users.password_changed_at, $11, $12, $13
       FROM browser JOIN users ON users.id = browser.user_id, clients
      WHERE users.disabled_at IS NULL AND clients.id = $3 AND clients.disabled_at IS NULL
     RETURNING sid`

/**
 * Without a page: the browser is only read, so that an authorization writes one row and locks none. If the
 * browser signs out meanwhile, the code begins no session, because its redemption looks again.
 */
const writeSilently = statement(
  'write_code',
  `WITH browser AS (SELECT * FROM browser_sessions AS browser WHERE ${browser}) ${insertCode}`,
)

/** After a page: of two copies of its form, one gets a code. */
const writeOnce = statement(
  'answer_with_code',
  `WITH browser AS (
     UPDATE browser_sessions AS browser SET answered = (ARRAY[$14::uuid] || answered)[1:20]
      WHERE ${browser} AND NOT answered @> ARRAY[$14::uuid]
     RETURNING *
   ) ${insertCode}`,
)

/**
 * Redeems a code: deletes it and inserts the session that it begins, in one statement. The first
 * presentation by its client spends a code, whatever comes of it. Signing out updates the row of the browser
 * first and then ends the sessions, so `FOR SHARE` leaves no session behind; the same holds for
 * the row of a consent that is withdrawn. That a client needs no consent is decided as `skipsConsent` does.
 */
const redeem = statement(
  'redeem_code',
  `WITH code AS (
     DELETE FROM authorization_codes WHERE sid = $1 AND client_id = $2 RETURNING *
   ), welcome AS MATERIALIZED (
     SELECT code.*, users.roles, browser.expires_at AS browser_expires_at
       FROM code
       JOIN users ON users.id = code.user_id
       JOIN clients ON clients.id = code.client_id
       JOIN browser_sessions AS browser ON browser.id = code.browser_session_id
      WHERE code.expires_at > $3 AND code.redirect_uri IS NOT DISTINCT FROM $4
        AND code.code_challenge IS NOT DISTINCT FROM $5
        AND users.disabled_at IS NULL AND users.password_changed_at = code.password_changed_at
        AND clients.disabled_at IS NULL
        AND browser.revoked_at IS NULL AND browser.expires_at > $3
        AND CASE WHEN clients.first_party AND COALESCE(clients.consent, 'skip') = 'skip' THEN true ELSE EXISTS (
              SELECT FROM consents
               WHERE consents.user_id = code.user_id AND consents.client_id = code.client_id
                 AND consents.granted_at >= clients.created_at AND consents.scopes @> code.scope
                 FOR KEY SHARE) END
        FOR NO KEY UPDATE OF users FOR SHARE OF clients, browser
   ), begun AS (
     INSERT INTO refresh_families
       (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr, acr, claims,
        browser_session_id, outlives_browser, idle_expires_at, expires_at, ip, user_agent)
     SELECT sid, user_id, client_id, scope, audience, $6, auth_time, amr, acr, claims,
            browser_session_id, outlives_browser,
            CASE WHEN outlives_browser THEN LEAST($7::timestamptz, $8::timestamptz)
                 WHEN has_refresh_token THEN LEAST($7::timestamptz, $8::timestamptz, browser_expires_at)
                 ELSE browser_expires_at END,
            CASE WHEN outlives_browser THEN $8::timestamptz
                 WHEN has_refresh_token THEN LEAST($8::timestamptz, browser_expires_at)
                 ELSE browser_expires_at END,
            $9, $10
       FROM welcome
     RETURNING *
   ), noted AS (
     INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
     SELECT $3, 'session.begun', user_id, client_id, sid, ip FROM begun
   )
   SELECT EXISTS (SELECT FROM code) AS presented, begun.sid, begun.user_id, welcome.roles, begun.scope,
          begun.audience, begun.auth_time, begun.amr, begun.acr, begun.claims, welcome.nonce,
          welcome.has_refresh_token,
          $11 <= (SELECT count(*) FROM (
            SELECT FROM refresh_families AS live
             WHERE live.user_id = begun.user_id AND live.revoked_at IS NULL AND live.expires_at > $3
               AND live.idle_expires_at > $3 LIMIT $11) AS live) AS is_near_limit
     FROM (SELECT) AS always LEFT JOIN begun ON true LEFT JOIN welcome ON true`,
)

interface RedeemedRow {
  presented: boolean
  sid: string | null
  user_id: string
  roles: string[]
  scope: string[]
  audience: string[]
  auth_time: Date
  amr: string[]
  acr: string
  claims: object | null
  nonce: string | null
  has_refresh_token: boolean
  is_near_limit: boolean
}

/** Authorization codes: each is the session that it begins (RFC 6749 §4.1.2). */
export class AuthorizationCodes {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * @returns undefined if the browser has signed out, the person or the client was disabled, or the request
   * was answered already
   */
  async write(code: NewCode): Promise<string | undefined> {
    const { statements, codec, now } = this.#deps
    const sid = uuidv7()
    const at = now()
    const values = [
      code.browserSessionId,
      at,
      code.clientId,
      sid,
      code.redirectUri,
      code.codeChallenge ?? null,
      code.nonce ?? null,
      code.scope,
      code.audience,
      code.claims ? JSON.stringify(code.claims) : null,
      code.hasRefreshToken,
      code.outlivesBrowser,
      later(at, codeSeconds),
    ]
    const rows = await (code.answers === undefined
      ? statements.run(writeSilently, values)
      : statements.run(writeOnce, [...values, code.answers]))
    return rows.length > 0 ? codec.encode(sid) : undefined
  }

  /** Deletes the codes of a person for a client, which then begin no session. */
  async deleteOf(trx: Knex.Transaction, userId: string, clientId: string): Promise<void> {
    await trx('authorization_codes').where({ user_id: userId, client_id: clientId }).delete()
  }

  /** Begins the session of a code. A code that is presented again ends its session: RFC 6749 §4.1.2. */
  async redeem(presented: Presentation): Promise<RedeemedCode | { readonly refused: CodeFailure }> {
    const { statements, codec, refreshCodec, families, now } = this.#deps
    const sid = codec.decode(presented.code)
    if (sid === undefined) return { refused: 'forged_code' }
    const seed = randomBytes(seedBytes)
    const at = now()
    const [row] = await statements.run<RedeemedRow>(redeem, [
      sid,
      presented.clientId,
      at,
      presented.redirectUri ?? null,
      presented.codeChallenge ?? null,
      digestSecret(seed),
      later(at, presented.idleSeconds),
      later(at, presented.absoluteSeconds),
      presented.ip,
      presented.userAgent?.slice(0, 300) ?? null,
      families.nearLimit,
    ])
    if (!row?.presented) return { refused: await this.#endReplayed(sid, presented) }
    if (row.sid === null) return { refused: 'code_not_valid' }
    if (row.is_near_limit) await families.endSurplus(row.user_id)
    return {
      sid,
      userId: row.user_id,
      roles: row.roles,
      scope: row.scope,
      audience: row.audience,
      authTime: row.auth_time,
      amr: row.amr,
      acr: row.acr,
      nonce: row.nonce,
      claims: row.claims,
      refreshToken: row.has_refresh_token
        ? refreshCodec.encode({ sid, generation: 0, seed })
        : undefined,
    }
  }

  /** The family is the memory of a spent code. Only its own client can end it in this way. */
  async #endReplayed(sid: string, { clientId, ip }: Presentation): Promise<CodeFailure> {
    const { revocations, families, audit } = this.#deps
    return revocations.decide(async (change) => {
      const owner = await change
        .trx('refresh_families')
        .where({ sid, client_id: clientId })
        .first('user_id')
      if (!owner) return 'unknown_code'
      const [ended] = await families.end(change, { sid }, 'code_reused')
      if (ended !== undefined) {
        const event = { event: 'session.reused', userId: owner.user_id, clientId, sid, ip } as const
        await audit.record({ ...event, detail: { reused: 'authorization_code' } }, change.trx)
      }
      return 'code_reused'
    })
  }
}

/** Codes that were never redeemed. */
export const expiredCodes: ExpiringRows = { table: 'authorization_codes', columns: ['expires_at'] }
