import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Statements } from '../stores/statements.ts'
import type { AuthorizationCodeCodec } from './browser-session.ts'
import { type CodeFault, CodeRedemptions, type ForeseenCode } from './code-redemptions.ts'
import { CodeWrites, type NewCode } from './code-writes.ts'
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

export type CodeFailure =
  | 'forged_code'
  | 'code_reused'
  | 'code_not_valid'
  | 'unknown_code'
  | CodeFault

/** `sid`: the session that a genuine code would have begun. */
export interface RefusedCode {
  readonly refused: CodeFailure
  readonly sid?: string
}

/** Authorization codes: each is the session that it begins (RFC 6749 §4.1.2). */
export class AuthorizationCodes {
  readonly #deps: Dependencies
  readonly #writes: CodeWrites
  readonly #redemptions: CodeRedemptions

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#writes = new CodeWrites(deps.statements, deps.now)
    this.#redemptions = new CodeRedemptions(deps.statements, deps.families.nearLimit)
  }

  /**
   * @returns undefined if the browser has signed out, the person or the client was disabled, or the request
   * was answered already
   */
  async write(code: NewCode): Promise<string | undefined> {
    const sid = await this.#writes.write(code)
    return sid && this.#deps.codec.encode(sid)
  }

  /** Deletes the codes of a person for a client, which then begin no session. */
  async deleteOf(trx: Knex.Transaction, userId: string, clientId: string): Promise<void> {
    await trx('authorization_codes').where({ user_id: userId, client_id: clientId }).delete()
  }

  /** Begins the session of a code. A code that is presented again ends its session: RFC 6749 §4.1.2. */
  async redeem(presented: Presentation): Promise<RedeemedCode | RefusedCode> {
    const { codec, refreshCodec, families, now } = this.#deps
    const sid = codec.decode(presented.code)
    if (sid === undefined) return { refused: 'forged_code' }
    const seed = randomBytes(seedBytes)
    const at = now()
    const row = await this.#redemptions.redeem({
      sid,
      clientId: presented.clientId,
      redirectUri: presented.redirectUri,
      codeChallenge: presented.codeChallenge,
      seedDigest: digestSecret(seed),
      at,
      idleExpiresAt: later(at, presented.idleSeconds),
      expiresAt: later(at, presented.absoluteSeconds),
      ip: presented.ip,
      userAgent: presented.userAgent?.slice(0, 300),
    })
    if (!row) return { refused: await this.#endReplayed(sid, presented), sid }
    if (row.sid === null) return { refused: row.fault ?? 'code_not_valid', sid }
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

  /** The check that a code fails by itself, or its `sid` and what redeeming it would come to: for operators. */
  async foresee(presented: {
    readonly code: string
    readonly redirectUri?: string | undefined
    readonly codeChallenge?: string | undefined
  }): Promise<
    | { readonly fault: 'form' | 'signature' }
    | { readonly sid: string; readonly foreseen: ForeseenCode | undefined }
  > {
    const { codec, now } = this.#deps
    const sid = codec.decode(presented.code)
    if (sid === undefined) return { fault: codec.faultOf(presented.code) ?? 'signature' }
    const { redirectUri, codeChallenge } = presented
    const redemption = { sid, redirectUri, codeChallenge, at: now() }
    return { sid, foreseen: await this.#redemptions.foresee(redemption) }
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
