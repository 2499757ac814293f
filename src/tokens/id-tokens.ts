import { hash } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { epochSeconds, type Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { type Examined, faultOf, faulty } from './token-fault.ts'

interface IdTokenRequest {
  readonly subject: string
  readonly clientId: string
  readonly sid: string
  readonly authTime: Date
  readonly amr: readonly string[]
  readonly acr: string
  readonly nonce?: string | null | undefined
  /** The access token that comes with it, for `at_hash`. */
  readonly accessToken: string
  /** Claims about the person that the request named: OpenID Connect Core §5.5. */
  readonly claims?: Readonly<Record<string, unknown>>
}

const hintClaims = z.looseObject({
  iss: z.string(),
  sub: z.uuid(),
  aud: z.string(),
  sid: z.uuid(),
})

export type IdTokenHint = z.output<typeof hintClaims>

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
}

/** Long enough to be verified on arrival; sessions do not live by it. */
const lifeSeconds = 600

/** Longer texts are no ID token of this server. */
const longest = 8192

/** ID tokens: OpenID Connect Core §2. Their `typ` is not that of access tokens, so neither passes for the other. */
export class IdTokens {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  issue(request: IdTokenRequest): Promise<string> {
    const { keyring, issuer, now } = this.#deps
    const iat = epochSeconds(now())
    return keyring.sign('JWT', {
      ...request.claims,
      iss: issuer,
      sub: request.subject,
      aud: request.clientId,
      exp: iat + lifeSeconds,
      iat,
      auth_time: epochSeconds(request.authTime),
      acr: request.acr,
      amr: [...request.amr],
      sid: request.sid,
      ...(request.nonce && { nonce: request.nonce }),
      // §3.1.3.6: the left half of the SHA-256 of the access token.
      at_hash: hash('sha256', request.accessToken, 'buffer').subarray(0, 16).toString('base64url'),
    })
  }

  /**
   * Reads `id_token_hint`: an ID token that this server signed at some time, expired or not, with any key
   * that was not revoked.
   */
  async readHint(token: string): Promise<IdTokenHint | undefined> {
    return (await this.examine(token)).verified
  }

  /** The same, with the first check that the token fails. */
  async examine(token: string): Promise<Examined<IdTokenHint>> {
    const { keyring, issuer } = this.#deps
    if (token.length > longest)
      return faulty('form', 'it is longer than an ID token of this server')
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = kid && keyring.current.formerKey(kid)
          if (!key) throw new errors.JWKSNoMatchingKey()
          return key
        },
        { algorithms: ['RS256'], typ: 'JWT', issuer, currentDate: new Date(0) },
      )
      const claims = hintClaims.safeParse(payload)
      return claims.success
        ? { verified: claims.data }
        : faulty('claims', 'sub, aud or sid is wrong or missing')
    } catch (error) {
      return { fault: faultOf(error) }
    }
  }
}
