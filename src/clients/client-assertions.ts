import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { epochSeconds, type Now } from '../clock.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'
import type { Client } from './client.ts'
import { assertionAlgorithms } from './public-keys.ts'

/** The longest lifetime of an assertion; its `jti` is remembered for so long. */
const longestLifeSeconds = 600
const toleranceSeconds = 30

interface Dependencies {
  readonly db: Db
  readonly now: Now
  /** The audiences that an assertion may have: issuer and token endpoint. */
  readonly audiences: readonly string[]
}

const usedBefore = 'its jti was used before'

interface Spendable {
  readonly jti: string
  readonly exp: number
}

/** The code of an error of jose, with the claim that it is about. */
const nameOf = (error: Error): string => {
  if (error instanceof errors.JWTClaimValidationFailed) return `${error.code}: ${error.claim}`
  return error instanceof errors.JOSEError ? error.code : error.name
}

/** Client assertions, RFC 7523 §2.2 and §3: signed by the client, for this server, used once. */
export class ClientAssertions {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @returns why it was refused, for the log; undefined if the client is authenticated */
  async check(client: Client, assertion: string): Promise<string | undefined> {
    const judged = await this.#judge(client, assertion)
    return typeof judged === 'string' ? judged : this.#spend(client.id, judged)
  }

  /** The same without spending it: for operators. */
  async foresee(client: Client, assertion: string): Promise<string | undefined> {
    const judged = await this.#judge(client, assertion)
    if (typeof judged === 'string') return judged
    const spent = await this.#deps
      .db('client_assertions')
      .where({ client_id: client.id, jti_digest: digestSecret(judged.jti) })
      .first('expires_at')
    return spent ? usedBefore : undefined
  }

  /** Everything that an assertion shows by itself. @returns why it is refused, or its `jti` and `exp` */
  async #judge(client: Client, assertion: string): Promise<string | Spendable> {
    if (!client.jwks) return 'the client has no keys'
    const { now, audiences } = this.#deps
    const verified = await jwtVerify(assertion, createLocalJWKSet(client.jwks), {
      algorithms: assertionAlgorithms,
      issuer: client.id,
      subject: client.id,
      audience: [...audiences],
      requiredClaims: ['exp', 'jti'],
      clockTolerance: toleranceSeconds,
      currentDate: now(),
      // Nothing here does I/O, so every error is due to the assertion or a key of the client.
    }).catch(nameOf)
    if (typeof verified === 'string') return verified
    // One audience only: another server in the list could replay the assertion.
    const { aud, jti, exp = 0 } = verified.payload
    if (Array.isArray(aud) && aud.length !== 1) return 'it has several audiences'
    if (this.#isFromFuture(verified.payload)) return 'its iat lies in the future'
    if (exp - now().getTime() / 1000 > longestLifeSeconds) return 'it lives too long'
    if (typeof jti !== 'string' || !/^.{1,256}$/s.test(jti)) return 'its jti is no short string'
    return { jti, exp }
  }

  /** RFC 7519 §4.1.6: `iat` is a number, if present. */
  #isFromFuture({ iat }: JWTPayload): boolean {
    if (iat === undefined) return false
    return !(typeof iat === 'number' && iat <= epochSeconds(this.#deps.now()) + toleranceSeconds)
  }

  /** The primary key decides which of two concurrent uses is the first. */
  async #spend(clientId: string, { jti, exp }: Spendable): Promise<string | undefined> {
    const inserted = await this.#deps
      .db('client_assertions')
      .insert({
        client_id: clientId,
        jti_digest: digestSecret(jti),
        expires_at: new Date((exp + toleranceSeconds) * 1000),
      })
      .onConflict(['client_id', 'jti_digest'])
      .ignore()
      .returning('client_id')
    return inserted.length === 1 ? undefined : usedBefore
  }
}

export const expiredAssertions: ExpiringRows = {
  table: 'client_assertions',
  columns: ['expires_at'],
}
