import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createVerifier, type Verifier } from '../src/verifier/verifier.ts'

/** An issuer without a network, for bench/verify.ts: its key, its tokens, its list of revocations. */

export const issuer = 'https://id.example'
export const audience = 'https://orders.example'
const kid = 'k'.repeat(43)

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }
export const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()

function jws(typ: string, claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const input = `${encode({ alg: 'RS256', typ, kid })}.${encode({ iss: issuer, ...claims })}`
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}

/** As the server writes it for a person: about 900 characters. */
export function token(): string {
  const iat = Math.floor(Date.now() / 1000)
  return jws('at+jwt', {
    ...{ sub: randomUUID(), aud: audience, exp: iat + 900, iat, jti: randomUUID() },
    ...{ client_id: 'app', scope: 'read write offline_access', sid: randomUUID(), auth_time: iat },
    ...{ amr: ['pwd'], roles: ['admin'] },
  })
}

function list(entries: number): string {
  const iat = Math.floor(Date.now() / 1000)
  const groups: Record<string, Buffer[]> = {}
  for (let n = 0; n < entries; n++) {
    const expiresAt = (Math.ceil(iat / 60) + 2 + (n % 60)) * 60
    groups[expiresAt] ??= []
    groups[expiresAt].push(createHash('sha256').update(`jti:${n}`).digest().subarray(0, 16))
  }
  const revoked = Object.entries(groups).map(([at, digests]) => [
    at,
    Buffer.concat(digests).toString('base64url'),
  ])
  return jws('revocations+jwt', { iat, seq: '1', revoked: Object.fromEntries(revoked) })
}

/** Its polls hang until they are ended. */
function fetchFrom(entries: number): typeof fetch {
  const metadata = { issuer, jwks_uri: `${issuer}/jwks`, revocations_uri: `${issuer}/revocations` }
  return async (url, options) => {
    const { pathname, searchParams } = new URL(String(url))
    if (pathname.startsWith('/.well-known')) return Response.json(metadata)
    if (pathname === '/jwks') return Response.json({ keys: [jwk] })
    if (!searchParams.has('since')) return new Response(list(entries))
    return new Promise((_, reject) => {
      options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
    })
  }
}

/** The verifier of this product, which has so many revocations to keep in mind. */
export const ourVerifier = (rememberTokens: number, entries = 1000): Verifier =>
  createVerifier({ issuer, audience, rememberTokens, fetch: fetchFrom(entries) })
