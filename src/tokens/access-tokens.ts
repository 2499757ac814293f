import { hash, randomUUID } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { epochSeconds, type Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { OAuthError } from '../oauth/error.ts'
import type { RevocationSubject } from '../revocations/revocation-log.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { type Examined, ForeignHeaderError, faultOf, faulty } from './token-fault.ts'
import { tokenLife } from './token-lives.ts'

/** No control characters: PostgreSQL accepts no NUL in a text. */
const name = z.string().regex(/^\P{Cc}+$/u)
const audience = z.union([name, z.array(name).min(1)])

/**
 * The claims of an access token of this server, RFC 9068 §2.2. Read as strictly as they are written:
 * even a token with a genuine signature must not bring a list where a name is looked up.
 */
const accessTokenClaims = z
  .looseObject({
    iss: name,
    sub: name,
    aud: audience,
    exp: z.int(),
    iat: z.int(),
    jti: z.uuid(),
    client_id: name,
    scope: z.string(),
    sid: z.uuid().optional(),
    auth_time: z.int().optional(),
    acr: name.optional(),
    amr: z.array(name).optional(),
    roles: z.array(name).optional(),
  })
  // A token with a session acts for a person, and `sub` is the person's id.
  .refine(({ sub, sid }) => sid === undefined || z.uuid().safeParse(sub).success)

type AccessTokenClaims = z.output<typeof accessTokenClaims>

/** The header that this server writes: a key or an extension in it is not its own. */
const isOwnHeader = (header: object): boolean =>
  Object.keys(header).every((member) => ['alg', 'typ', 'kid'].includes(member))

/** The claims about the person that a token acts for: RFC 9068 §2.2.1 and §2.2.3.1. */
interface PersonClaims {
  /** The session: public; its revocation ends the token. */
  readonly sid: string
  readonly authTime: Date
  /** Absent in sessions that did not begin in a browser. */
  readonly acr?: string | null
  readonly amr: readonly string[]
  readonly roles: readonly string[]
}

interface AccessTokenRequest {
  /** The person, or the client when it acts for itself: RFC 9068 §2.2. */
  readonly subject: string
  readonly clientId: string
  readonly audience: readonly string[]
  readonly scope: readonly string[]
  /** The longest lifetime; this token may live a little shorter. */
  readonly seconds: number
  readonly person?: PersonClaims
}

export interface IssuedAccessToken {
  readonly token: string
  /** Its lifetime in seconds, RFC 6749 §5.1. */
  readonly expiresIn: number
}

export interface VerifiedAccessToken {
  readonly kid: string
  readonly claims: AccessTokenClaims
}

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly revocations: Revocations
  readonly issuer: string
  readonly now: Now
}

/** Longest claims of a token that is read, in base64url. */
const mostPayloadLength = 8192

/** Three base64url parts and nothing else: jose would ignore white space and padding. */
const compactJws = new RegExp(`^[\\w-]{1,2048}\\.[\\w-]{1,${mostPayloadLength}}\\.[\\w-]{1,1024}$`)

/**
 * Tokens whose signature was verified lately, by digest: introspection meets the same ones again and
 * again. Expiry, the key and revocation are still checked every time.
 */
export const createSignatureCache = () => new LRUCache<string, VerifiedAccessToken>({ max: 2000 })

/** Signs and verifies access tokens: JWT profile of RFC 9068, RS256. */
export class AccessTokens {
  readonly #deps: Dependencies
  readonly #verified = createSignatureCache()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  async issue(request: AccessTokenRequest): Promise<IssuedAccessToken> {
    const { keyring, now } = this.#deps
    const { audience, person } = request
    const iat = epochSeconds(now())
    const jti = randomUUID()
    const expiresIn = tokenLife(request.seconds, jti)
    const claims: AccessTokenClaims = {
      iss: this.#deps.issuer,
      sub: request.subject,
      aud: audience.length === 1 ? (audience[0] as string) : [...audience],
      exp: iat + expiresIn,
      iat,
      jti,
      client_id: request.clientId,
      scope: request.scope.join(' '),
      ...(person && {
        sid: person.sid,
        auth_time: epochSeconds(person.authTime),
        ...(person.acr && { acr: person.acr }),
        amr: [...person.amr],
        roles: [...person.roles],
      }),
    }
    const token = await keyring.sign('at+jwt', claims)
    // The server cannot revoke a token that it does not read. Its other parts are always short enough.
    if (token.lastIndexOf('.') - token.indexOf('.') > mostPayloadLength + 1) throw tooLong()
    return { token, expiresIn }
  }

  /**
   * The token, if this server signed it and it has not expired; `isRevoked` checks revocation.
   * Undefined for everything else, whatever it is: RFC 8725 §3, RFC 9068 §4.
   */
  async verify(token: string): Promise<VerifiedAccessToken | undefined> {
    return (await this.examine(token)).verified
  }

  /** The same, with the first check that the token fails. Callers of the server must not see it. */
  async examine(token: string, at?: Date): Promise<Examined<VerifiedAccessToken>> {
    const now = at ?? this.#deps.now()
    const digest = hash('sha256', token, 'base64')
    const verified = this.#verified.get(digest)
    if (verified) {
      if (!this.#deps.keyring.current.verificationKey(verified.kid, now)) {
        return faulty('key', 'no published key has this kid')
      }
      if (verified.claims.exp > epochSeconds(now)) return { verified }
      return faulty('time', 'exp has passed')
    }
    const examined = await this.#check(token, now)
    if (examined.verified && at === undefined) this.#verified.set(digest, examined.verified)
    return examined
  }

  async #check(token: string, now: Date): Promise<Examined<VerifiedAccessToken>> {
    if (!compactJws.test(token)) return faulty('form', 'it is not three parts in base64url')
    if (!isCanonical(token)) return faulty('form', 'its signature is not spelled canonically')
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        (header) => {
          if (!isOwnHeader(header)) throw new ForeignHeaderError()
          const { kid } = header
          const key = kid && this.#deps.keyring.current.verificationKey(kid, now)
          if (!key) throw new errors.JWKSNoMatchingKey()
          return key
        },
        {
          algorithms: ['RS256'],
          typ: 'at+jwt',
          issuer: this.#deps.issuer,
          currentDate: now,
        },
      )
      const claims = accessTokenClaims.safeParse(payload)
      if (!claims.success) return faulty('claims', claimProblem(claims.error))
      return { verified: { kid: protectedHeader.kid as string, claims: claims.data } }
    } catch (error) {
      return { fault: faultOf(error) }
    }
  }

  /** True if the token, its session, its client or its key has been revoked. */
  isRevoked({ kid, claims }: VerifiedAccessToken): Promise<boolean> {
    const subjects: RevocationSubject[] = [
      { kind: 'jti', value: claims.jti },
      { kind: 'client', value: claims.client_id },
      { kind: 'kid', value: kid },
    ]
    if (claims.sid !== undefined) subjects.push({ kind: 'sid', value: claims.sid })
    return this.#deps.revocations.isRevokedAny(subjects)
  }
}

const tooLong = () =>
  new OAuthError(
    'invalid_scope',
    'the access token would be too long: ask for fewer scopes or resources',
  )

/** The name of the claim that is missing or wrong. */
function claimProblem({ issues: [issue] }: z.ZodError): string {
  const name = issue?.path[0]
  return name === undefined
    ? 'sub is not a person, although there is a sid'
    : `${String(name)} is wrong or missing`
}

/** The last character of a signature has unused bits: a token has one spelling and no other. */
function isCanonical(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  return Buffer.from(signature, 'base64url').toString('base64url') === signature
}
