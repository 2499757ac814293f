import { SignedTokenCodec, uuidBytes, uuidOf } from '../oauth/opaque-token.ts'

/** One browser that has signed in here. Sessions of clients begin from it; it is none of them (D10). */
export interface BrowserSession {
  readonly id: string
  readonly userId: string
  /** Raised by each re-authentication, which replaces the cookie: ASVS 7.2.4. */
  readonly version: number
  readonly createdAt: Date
  readonly authTime: Date
  readonly amr: readonly string[]
  readonly acr: string
  /** The authorization request for which the person last authenticated. */
  readonly authenticatedFor: string | null
  /** The authorization request for which the person last chose to go on, without authenticating. */
  readonly chosenFor: string | null
  /** Authorization requests that this browser has answered on a page, newest first. */
  readonly answered: readonly string[]
  /** True if the cookie outlives the browser window. */
  readonly remembered: boolean
  readonly idleExpiresAt: Date
  readonly expiresAt: Date
  readonly ip: string | null
  readonly userAgent: string | null
}

/** A row of `browser_sessions`. */
export interface BrowserSessionRow {
  id: string
  user_id: string
  version: number
  created_at: Date
  auth_time: Date
  amr: string[]
  acr: string
  authenticated_for: string | null
  chosen_for: string | null
  answered: string[]
  remembered: boolean
  idle_expires_at: Date
  expires_at: Date
  revoked_at: Date | null
  revoked_reason: string | null
  ip: string | null
  user_agent: string | null
}

export const browserSessionOf = (row: BrowserSessionRow): BrowserSession => ({
  id: row.id,
  userId: row.user_id,
  version: row.version,
  createdAt: row.created_at,
  authTime: row.auth_time,
  amr: row.amr,
  acr: row.acr,
  authenticatedFor: row.authenticated_for,
  chosenFor: row.chosen_for,
  answered: row.answered,
  remembered: row.remembered,
  idleExpiresAt: row.idle_expires_at,
  expiresAt: row.expires_at,
  ip: row.ip,
  userAgent: row.user_agent,
})

const idBytes = 16
const versionBytes = 4

/**
 * The cookie of a browser session: id ‖ version, signed. It follows from the row, so that a form that is
 * sent twice gets the same cookie; a dump of the table yields none.
 */
export class BrowserSessionCodec {
  readonly #codec: SignedTokenCodec

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    const purpose = 'signet browser session v1'
    this.#codec = new SignedTokenCodec('sbs_', idBytes + versionBytes, secret, purpose)
  }

  encode({ id, version }: Pick<BrowserSession, 'id' | 'version'>): string {
    const number = Buffer.alloc(versionBytes)
    number.writeUInt32BE(version)
    return this.#codec.encode(Buffer.concat([uuidBytes(id), number]))
  }

  /** The check that a cookie fails by itself. */
  faultOf(cookie: string): 'form' | 'signature' | undefined {
    return this.#codec.faultOf(cookie)
  }

  decode(cookie: string): Pick<BrowserSession, 'id' | 'version'> | undefined {
    const body = this.#codec.decode(cookie)
    return body && { id: uuidOf(body.subarray(0, idBytes)), version: body.readUInt32BE(idBytes) }
  }
}

/** An authorization code: the id of the session that it begins, signed. */
export class AuthorizationCodeCodec {
  readonly #codec: SignedTokenCodec

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    this.#codec = new SignedTokenCodec('sac_', idBytes, secret, 'signet authorization code v1')
  }

  encode(sid: string): string {
    return this.#codec.encode(uuidBytes(sid))
  }

  /** The check that a code fails by itself. */
  faultOf(code: string): 'form' | 'signature' | undefined {
    return this.#codec.faultOf(code)
  }

  /** @returns the `sid`; undefined for everything that this server did not encode */
  decode(code: string): string | undefined {
    const body = this.#codec.decode(code)
    return body && uuidOf(body)
  }
}
