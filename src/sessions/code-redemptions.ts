import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { wasRefused } from '../stores/unavailable.ts'

/** A code that its client presents, and the session that it is to begin. */
export interface Redemption {
  readonly sid: string
  readonly clientId: string
  readonly redirectUri: string | undefined
  /** S256 of the verifier; undefined without one. */
  readonly codeChallenge: string | undefined
  readonly seedDigest: Buffer
  readonly at: Date
  readonly idleExpiresAt: Date
  readonly expiresAt: Date
  readonly ip: string
  readonly userAgent: string | undefined
}

/** A spent code; `sid` is null if it has begun no session. */
export interface RedeemedRow {
  readonly sid: string | null
  readonly user_id: string
  readonly roles: string[]
  readonly scope: string[]
  readonly audience: string[]
  readonly auth_time: Date
  readonly amr: string[]
  readonly acr: string
  readonly claims: object | null
  readonly nonce: string | null
  readonly has_refresh_token: boolean
  readonly is_near_limit: boolean
  /** The first condition that did not hold; null if none was found when it was looked for. */
  readonly fault?: CodeFault | null
}

/** A code whose client has it, and the first condition that does not hold. */
export interface ForeseenCode {
  readonly user_id: string
  readonly client_id: string
  readonly browser_session_id: string
  readonly redirect_uri: string | null
  readonly code_challenge: string | null
  readonly scope: string[]
  readonly audience: string[]
  readonly expires_at: Date
  readonly fault: CodeFault | null
}

export type CodeFault =
  | 'code_expired'
  | 'redirect_uri_mismatch'
  | 'pkce_mismatch'
  | 'user_disabled'
  | 'password_changed'
  | 'client_disabled'
  | 'browser_signed_out'
  | 'consent_withdrawn'

const presented = `SELECT * FROM unnest(
       $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::timestamptz[],
       $8::timestamptz[], $9::inet[], $10::text[]) WITH ORDINALITY
     AS presented (sid, client_id, redirect_uri, code_challenge, seed_digest, at, idle_expires_at,
                   expires_at, ip, user_agent, place)`

const columns = `code.sid, code.user_id, code.client_id, code.browser_session_id, code.scope, code.audience,
            code.nonce, code.claims, code.auth_time, code.amr, code.acr, code.has_refresh_token,
            code.outlives_browser, users.roles, browser.expires_at AS browser_expires_at,
            presented.seed_digest, presented.at, presented.idle_expires_at, presented.expires_at,
            presented.ip, presented.user_agent, presented.place`

type Lock = '' | 'FOR KEY SHARE' | 'FOR KEY SHARE SKIP LOCKED'

/**
 * Everything that must hold about a code, its person, client and browser, in the order in which it is reported.
 * A client that needs a consent is found as `skipsConsent` does.
 */
const conditions = (lock: Lock): Readonly<Record<CodeFault, string>> => ({
  code_expired: 'code.expires_at > presented.at',
  redirect_uri_mismatch: 'code.redirect_uri IS NOT DISTINCT FROM presented.redirect_uri',
  pkce_mismatch: 'code.code_challenge IS NOT DISTINCT FROM presented.code_challenge',
  user_disabled: 'users.disabled_at IS NULL',
  password_changed: 'users.password_changed_at = code.password_changed_at',
  client_disabled: 'clients.disabled_at IS NULL',
  browser_signed_out: 'browser.revoked_at IS NULL AND browser.expires_at > presented.at',
  consent_withdrawn: `CASE WHEN clients.first_party AND COALESCE(clients.consent, 'skip') = 'skip' THEN true ELSE EXISTS (
              SELECT FROM consents
               WHERE consents.user_id = code.user_id AND consents.client_id = code.client_id
                 AND consents.granted_at >= clients.created_at AND consents.scopes @> code.scope
                 ${lock}) END`,
})

/** In SQL, the first condition that does not hold; NULL if all do. */
const firstFault = `CASE ${Object.entries(conditions(''))
  .map(([name, condition]) => `WHEN (${condition}) IS NOT TRUE THEN '${name}'`)
  .join(' ')} END`

const parties = (join: 'JOIN' | 'LEFT JOIN') => `
            ${join} users ON users.id = code.user_id
            ${join} clients ON clients.id = code.client_id
            ${join} browser_sessions AS browser ON browser.id = code.browser_session_id`

const isRight = (lock: Lock) => `${parties('JOIN')}
      WHERE ${Object.values(conditions(lock)).join(' AND ')}`

const begin = `INSERT INTO refresh_families
       (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr, acr, claims,
        browser_session_id, outlives_browser, idle_expires_at, expires_at, ip, user_agent)
     SELECT sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr, acr, claims,
            browser_session_id, outlives_browser,
            CASE WHEN outlives_browser THEN LEAST(idle_expires_at, expires_at)
                 WHEN has_refresh_token THEN LEAST(idle_expires_at, expires_at, browser_expires_at)
                 ELSE browser_expires_at END,
            CASE WHEN outlives_browser THEN expires_at
                 WHEN has_refresh_token THEN LEAST(expires_at, browser_expires_at)
                 ELSE browser_expires_at END,
            ip, user_agent
       FROM welcome`

const note = `INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
     SELECT at, 'session.begun', user_id, client_id, sid, ip FROM welcome`

/** The columns of the answer. Live sessions of the person are counted as of the start of the statement. */
const answer = `welcome.sid, welcome.user_id, welcome.roles, welcome.scope, welcome.audience,
          welcome.auth_time, welcome.amr, welcome.acr, welcome.claims, welcome.nonce,
          welcome.has_refresh_token,
          $11 <= (SELECT count(*) FROM (
            SELECT FROM refresh_families AS live
             WHERE live.user_id = welcome.user_id AND live.revoked_at IS NULL
               AND live.expires_at > welcome.at AND live.idle_expires_at > welcome.at
             LIMIT $11) AS live) AS is_near_limit`

/**
 * Redeems one code: deletes it and inserts the session that it begins, in one statement. The first
 * presentation by its client spends a code, whatever comes of it. Signing out updates the row of the browser
 * first and then ends the sessions, so `FOR SHARE` leaves no session behind; the same holds for
 * the row of a consent that is withdrawn.
 */
const redeemOne = statement(
  'redeem_code',
  `WITH presented AS (${presented}),
   code AS (
     DELETE FROM authorization_codes AS code USING presented
      WHERE code.sid = presented.sid AND code.client_id = presented.client_id RETURNING code.*
   ), welcome AS MATERIALIZED (
     SELECT ${columns}
       FROM presented JOIN code ON code.sid = presented.sid ${isRight('FOR KEY SHARE')}
        FOR NO KEY UPDATE OF users FOR SHARE OF clients, browser
   ), begun AS (${begin}), noted AS (${note})
   SELECT ${answer},
          CASE WHEN welcome.sid IS NULL THEN (SELECT ${firstFault} FROM presented ${parties('LEFT JOIN')}) END AS fault
     FROM code LEFT JOIN welcome ON true`,
)

/**
 * The same for many codes, as far as they are right and need not wait. Locked rows are skipped: waiting for
 * one would delay all others, and two statements that wait for each other's rows would deadlock. A person has
 * one code in it, so that the limit of sessions is looked at each time.
 */
const redeemMany = statement(
  'redeem_codes',
  `WITH presented AS (${presented}),
   right_ones AS MATERIALIZED (
     SELECT ${columns}
       FROM presented
       JOIN authorization_codes AS code ON code.sid = presented.sid AND code.client_id = presented.client_id
            ${isRight('FOR KEY SHARE SKIP LOCKED')}
        FOR UPDATE OF code SKIP LOCKED
        FOR NO KEY UPDATE OF users SKIP LOCKED
        FOR SHARE OF clients, browser SKIP LOCKED
   ), welcome AS MATERIALIZED (
     SELECT DISTINCT ON (user_id) * FROM right_ones ORDER BY user_id, place
   ), spent AS (
     DELETE FROM authorization_codes AS code USING welcome WHERE code.sid = welcome.sid
   ), begun AS (${begin}), noted AS (${note})
   SELECT welcome.place, ${answer}, NULL AS fault FROM welcome`,
)

/** Foresees the outcome of redeeming a code. It changes and locks nothing. */
const foreseeOne = statement(
  'foresee_code',
  `SELECT code.user_id, code.client_id, code.browser_session_id, code.redirect_uri, code.code_challenge,
          code.scope, code.audience, code.expires_at, ${firstFault} AS fault
     FROM (SELECT $1::uuid AS sid, COALESCE($2::text, known.redirect_uri) AS redirect_uri,
                  COALESCE($3::text, known.code_challenge) AS code_challenge, $4::timestamptz AS at
             FROM authorization_codes AS known WHERE known.sid = $1::uuid) AS presented
     JOIN authorization_codes AS code ON code.sid = presented.sid ${parties('LEFT JOIN')}`,
)

/** In a batch, each code that is not right or is locked is looked at again, alone. */
type Outcome = RedeemedRow | 'alone' | undefined

/** Redeems codes: one that comes alone at once, those that arrive meanwhile in one statement. */
export class CodeRedemptions {
  readonly #statements: Statements
  readonly #nearLimit: number
  readonly #batches: BatchQueue<Redemption, Outcome>

  /** @param nearLimit from so many sessions of a person on, some may have to end */
  constructor(statements: Statements, nearLimit: number) {
    this.#statements = statements
    this.#nearLimit = nearLimit
    this.#batches = new BatchQueue({
      run: (redemptions) => this.#redeem(redemptions),
      isAtomicFailure: wasRefused,
    })
  }

  /** @returns undefined if the client has no such code */
  async redeem(redemption: Redemption): Promise<RedeemedRow | undefined> {
    const outcome = await this.#batches.add(redemption)
    return outcome === 'alone' ? this.#redeemOne(redemption) : outcome
  }

  /**
   * Foresees the outcome of redeeming a code, for operators. The redirect URI and the challenge count as right
   * if they are not given.
   */
  async foresee({
    sid,
    redirectUri,
    codeChallenge,
    at,
  }: Pick<Redemption, 'sid' | 'redirectUri' | 'codeChallenge' | 'at'>): Promise<
    ForeseenCode | undefined
  > {
    const values = [sid, redirectUri ?? null, codeChallenge ?? null, at]
    const [row] = await this.#statements.run<ForeseenCode>(foreseeOne, values)
    return row
  }

  async #redeemOne(redemption: Redemption): Promise<RedeemedRow | undefined> {
    const [row] = await this.#statements.run<RedeemedRow>(redeemOne, this.#valuesOf([redemption]))
    return row
  }

  async #redeem(redemptions: readonly Redemption[]): Promise<Outcome[]> {
    const [only] = redemptions
    if (only && redemptions.length === 1) return [await this.#redeemOne(only)]
    const rows = await this.#statements.run<RedeemedRow & { place: string }>(
      redeemMany,
      this.#valuesOf(redemptions),
    )
    const outcomes = redemptions.map((): Outcome => 'alone')
    for (const row of rows) outcomes[Number(row.place) - 1] = row
    return outcomes
  }

  #valuesOf(redemptions: readonly Redemption[]): unknown[] {
    return [
      redemptions.map(({ sid }) => sid),
      redemptions.map(({ clientId }) => clientId),
      redemptions.map(({ redirectUri }) => redirectUri ?? null),
      redemptions.map(({ codeChallenge }) => codeChallenge ?? null),
      redemptions.map(({ seedDigest }) => seedDigest),
      redemptions.map(({ at }) => at),
      redemptions.map(({ idleExpiresAt }) => idleExpiresAt),
      redemptions.map(({ expiresAt }) => expiresAt),
      redemptions.map(({ ip }) => ip),
      redemptions.map(({ userAgent }) => userAgent ?? null),
      this.#nearLimit,
    ]
  }
}
