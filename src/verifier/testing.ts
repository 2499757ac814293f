import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, BlockList } from 'node:net'
import { decodeJwt, type JWTPayload, SignJWT } from 'jose'
import type { AccessTokenClaims } from './claims.ts'
import { TestKeys } from './testing-keys.ts'
import { type RevocationMark, TestRevocations } from './testing-revocations.ts'
import { testRoutes } from './testing-routes.ts'

export type { RevocationMark } from './testing-revocations.ts'

export interface TestIssuerOptions {
  /** Default: any free one. */
  readonly port?: number
  /** A loopback address; nothing else is listened on. Default: 127.0.0.1. */
  readonly host?: string
  /** The `aud` of tokens. Default: the issuer. */
  readonly audience?: string
  /** What `Cache-Control` of the JWKS says. Default: 300. */
  readonly jwksMaxAgeSeconds?: number
  readonly now?: () => Date
}

/** Claims that replace the usual ones; `undefined` leaves one out. */
export type TestClaims = { readonly [Name in keyof AccessTokenClaims]?: unknown }

/** An authorization server for tests: metadata, JWKS and the revocation feed, and tokens for the asking. */
export interface TestIssuer {
  readonly issuer: string
  readonly audience: string
  /** A token that is good for 15 minutes, unless the claims say otherwise. */
  token(claims?: TestClaims): Promise<string>
  /** A token; or every one of a session, a client or a key. The feed has it before this returns. */
  revoke(what: string | RevocationMark): Promise<void>
  /** @returns the `kid` that signs from now on; tokens of the one before stay good */
  rotate(): Promise<string>
  /** Ends what is still waiting at the feed as well. */
  close(): Promise<void>
}

const tokenSeconds = 900

/**
 * Starts an issuer that gives a token to whoever asks in this process, and to nobody else: there is no
 * token endpoint, and it listens on loopback only.
 */
export async function startTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { now = () => new Date(), jwksMaxAgeSeconds = 300 } = options
  const keys = await TestKeys.make()
  const revocations = new TestRevocations()
  const http = createServer()
  const issuer = await listen(http, options)
  const audience = options.audience ?? issuer
  const seconds = () => Math.floor(now().getTime() / 1000)
  let lastExpiry = 0
  http.on('request', testRoutes({ issuer, keys, revocations, seconds, jwksMaxAgeSeconds }))

  return {
    issuer,
    audience,
    token(overrides = {}) {
      const claims = { ...defaults({ issuer, audience, iat: seconds() }), ...overrides }
      if (typeof claims.exp === 'number') lastExpiry = Math.max(lastExpiry, claims.exp)
      const { kid, privateKey } = keys.signer
      const header = { alg: 'RS256', typ: 'at+jwt', kid }
      return new SignJWT(claims as JWTPayload).setProtectedHeader(header).sign(privateKey)
    },
    async revoke(what) {
      const mark = typeof what === 'string' ? { jti: jtiOf(what) } : what
      // First, so that no list which says that it is revoked is signed by it.
      if ('kid' in mark) await keys.remove(mark.kid)
      // Until the last token that it can concern has expired.
      revocations.add(mark, Math.max(lastExpiry, seconds() + tokenSeconds))
    },
    async rotate() {
      await keys.rotate()
      return keys.signer.kid
    },
    async close() {
      if (!http.listening) return
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
    },
  }
}

/** RFC 9068 §2.2, and what Signet adds for people. */
function defaults({ issuer, audience, iat }: { issuer: string; audience: string; iat: number }) {
  const claims: AccessTokenClaims = {
    iss: issuer,
    sub: 'test-user',
    aud: audience,
    exp: iat + tokenSeconds,
    iat,
    jti: randomUUID(),
    client_id: 'test-client',
    scope: '',
    sid: randomUUID(),
    auth_time: iat,
    amr: ['pwd'],
    roles: [],
  }
  return claims as Record<string, unknown>
}

function jtiOf(token: string): string {
  const { jti } = decodeJwt(token)
  if (typeof jti !== 'string') throw new TypeError('the token has no jti to revoke it by')
  return jti
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** A key whose tokens are for the asking must be in nobody's reach: refused before it listens. */
async function listen(
  http: ReturnType<typeof createServer>,
  { host = '127.0.0.1', port = 0 }: TestIssuerOptions,
): Promise<string> {
  const family = host.includes(':') ? 'ipv6' : 'ipv4'
  if (!loopback.check(host, family)) {
    throw new TypeError('a test issuer listens on a loopback address only: 127.0.0.1 or ::1')
  }
  http.listen({ host, port, exclusive: true })
  await once(http, 'listening')
  const { port: given } = http.address() as AddressInfo
  return `http://${family === 'ipv6' ? `[${host}]` : host}:${given}`
}
