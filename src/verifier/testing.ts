import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, BlockList } from 'node:net'
import { decodeJwt, type JWTPayload, SignJWT } from 'jose'
import type { AccessTokenClaims } from './access-token.ts'
import { TestKeys } from './testing-keys.ts'
import { type RevocationMark, TestRevocations } from './testing-revocations.ts'
import { testRoutes } from './testing-routes.ts'

export type { RevocationMark } from './testing-revocations.ts'

export interface TestIssuerOptions {
  /** Default: any free port. */
  readonly port?: number
  /** A loopback address; others are refused. Default: 127.0.0.1. */
  readonly host?: string
  /** The `aud` of tokens. Default: the issuer. */
  readonly audience?: string
  /** The `max-age` of the JWKS. Default: 300. */
  readonly jwksMaxAgeSeconds?: number
  readonly now?: () => Date
}

/** Claims that replace the defaults; `undefined` removes one. */
export type TestClaims = { readonly [Name in keyof AccessTokenClaims]?: unknown }

/** An authorization server for tests, with metadata, JWKS, revocation feed, and tokens on request. */
export interface TestIssuer {
  readonly issuer: string
  readonly audience: string
  /** Issues a token that is valid for 15 minutes, unless the claims say otherwise. */
  token(claims?: TestClaims): Promise<string>
  /** Revokes a token, or all tokens of a session, client or key. The feed has it before this returns. */
  revoke(target: string | RevocationMark): Promise<void>
  /** Rotates the key. @returns the `kid` that signs from now on; tokens of the previous one stay valid */
  rotate(): Promise<string>
  /** Closes the server and all connections, including those that wait at the feed. */
  close(): Promise<void>
}

const tokenSeconds = 900

/**
 * Starts an issuer for tests. Only this process can get tokens: there is no token endpoint, and it listens
 * on loopback only.
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
    async revoke(target) {
      const mark = typeof target === 'string' ? { jti: jtiOf(target) } : target
      // First, so that the key does not sign the list that revokes it.
      if ('kid' in mark) await keys.remove(mark.kid)
      // Kept until the last affected token has expired.
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

/** The claims of RFC 9068 §2.2, and those that Signet adds for people. */
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
  if (typeof jti !== 'string') throw new TypeError('the token has no jti, so it cannot be revoked')
  return jti
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Refuses other addresses than loopback, because anyone who reaches a test issuer could trust its tokens. */
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
  const { port: actual } = http.address() as AddressInfo
  return `http://${family === 'ipv6' ? `[${host}]` : host}:${actual}`
}
