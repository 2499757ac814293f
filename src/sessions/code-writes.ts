import { later, type Now } from '../clock.ts'
import { inShardOf } from '../shard.ts'
import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { wasRefused } from '../stores/unavailable.ts'

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

/** RFC 6749 §4.1.2 and FAPI 2.0 §5.3.2.1: a code lives for a minute. */
const codeSeconds = 60

/** Codes as columns, one row each; scopes and audiences, which contain no space, are lists in a text. */
const requested = `SELECT * FROM unnest(
       $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::jsonb[], $10::boolean[], $11::boolean[])
     AS requested (sid, browser_session_id, client_id, redirect_uri, code_challenge, nonce, scope, audience,
                   claims, has_refresh_token, outlives_browser)`

const insertCodes = `INSERT INTO authorization_codes
       (sid, user_id, client_id, browser_session_id, redirect_uri, code_challenge, nonce, scope, audience,
        claims, auth_time, amr, acr, password_changed_at, has_refresh_token, outlives_browser, expires_at)
     SELECT requested.sid, users.id, clients.id, browser.id, redirect_uri, code_challenge, nonce,
            string_to_array(scope, ' '), string_to_array(audience, ' '), claims, browser.auth_time,
            browser.amr, browser.acr, users.password_changed_at, has_refresh_token, outlives_browser, $13
       FROM requested
       JOIN browser ON browser.id = requested.browser_session_id
       JOIN users ON users.id = browser.user_id AND users.disabled_at IS NULL
       JOIN clients ON clients.id = requested.client_id AND clients.disabled_at IS NULL
     RETURNING sid`

const isLive = 'browser.revoked_at IS NULL AND browser.expires_at > $12'

/**
 * Without a page: browsers are only read, so that an authorization writes one row and locks none. If a
 * browser signs out meanwhile, its code begins no session, because the redemption looks again.
 */
const writeSilently = statement(
  'write_codes',
  `WITH requested AS (${requested}),
        browser AS (SELECT * FROM browser_sessions AS browser
                     WHERE browser.id = ANY ($2::uuid[]) AND ${isLive})
   ${insertCodes}`,
)

/** After a page, for one code: of two copies of its form, one gets it. */
const writeOnce = statement(
  'answer_with_code',
  `WITH requested AS (${requested}),
        browser AS (
     UPDATE browser_sessions AS browser SET answered = (ARRAY[$14::uuid] || answered)[1:20]
      WHERE browser.id = ANY ($2::uuid[]) AND ${isLive} AND NOT answered @> ARRAY[$14::uuid]
     RETURNING *
   ) ${insertCodes}`,
)

type Written = string | undefined

/** Writes codes: those that arrive together in one statement, unless a page was shown for them. */
export class CodeWrites {
  readonly #statements: Statements
  readonly #now: Now
  readonly #batches: BatchQueue<NewCode, Written>

  constructor(statements: Statements, now: Now) {
    this.#statements = statements
    this.#now = now
    this.#batches = new BatchQueue({
      run: (codes) => this.#write(codes),
      isAtomicFailure: wasRefused,
    })
  }

  /** @returns the id of the session that the code may begin; undefined if it must not be written */
  async write(code: NewCode): Promise<Written> {
    if (code.answers === undefined) return this.#batches.add(code)
    const [sid] = await this.#write([code], code.answers)
    return sid
  }

  async #write(codes: readonly NewCode[], answers?: string): Promise<Written[]> {
    const at = this.#now()
    const sids = codes.map(({ browserSessionId }) => inShardOf(browserSessionId))
    const values = [
      sids,
      codes.map(({ browserSessionId }) => browserSessionId),
      codes.map(({ clientId }) => clientId),
      codes.map(({ redirectUri }) => redirectUri),
      codes.map(({ codeChallenge }) => codeChallenge ?? null),
      codes.map(({ nonce }) => nonce ?? null),
      codes.map(({ scope }) => scope.join(' ')),
      codes.map(({ audience }) => audience.join(' ')),
      codes.map(({ claims }) => (claims ? JSON.stringify(claims) : null)),
      codes.map(({ hasRefreshToken }) => hasRefreshToken),
      codes.map(({ outlivesBrowser }) => outlivesBrowser),
      at,
      later(at, codeSeconds),
    ]
    const rows = await (answers === undefined
      ? this.#statements.run<{ sid: string }>(writeSilently, values)
      : this.#statements.run<{ sid: string }>(writeOnce, [...values, answers]))
    const written = new Set(rows.map(({ sid }) => sid))
    return sids.map((sid) => (written.has(sid) ? sid : undefined))
  }
}
