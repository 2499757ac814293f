import { createHash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import type { TestServer } from '../server/start-server.ts'

/** A list as a reader knows it that follows docs/verifying.md to the letter. */
export interface List {
  readonly iat: number
  readonly seq: string
  readonly since: string | undefined
  /** Digest → expiry, seconds since the epoch. */
  readonly revoked: ReadonlyMap<string, number>
  readonly etag: string
  readonly bytes: number
}

export const digestOf = (kind: 'jti' | 'sid' | 'client' | 'kid', value: string): string =>
  createHash('sha256').update(`${kind}:${value}`).digest().subarray(0, 16).toString('base64url')

/** Fetches a list and checks its signature, its type and its issuer. */
export async function readFeed(
  server: TestServer,
  { since, wait }: { since?: string; wait?: number } = {},
): Promise<List> {
  const query = new URLSearchParams()
  if (since !== undefined) query.set('since', since)
  if (wait !== undefined) query.set('wait', String(wait))
  const { status, headers, text } = await server.get(`/.well-known/revocations?${query}`)
  if (status !== 200) throw new Error(`the feed answered ${status}: ${text}`)
  return { ...(await readList(server, text)), etag: headers.get('etag') ?? '', bytes: text.length }
}

async function readList(server: TestServer, jwt: string): Promise<Omit<List, 'etag' | 'bytes'>> {
  // Without the time limit that a remote set has: the machine may be busy.
  const keys = createLocalJWKSet((await server.get('/.well-known/jwks.json')).body)
  const { payload } = await jwtVerify(jwt, keys, {
    algorithms: ['RS256'],
    typ: 'revocations+jwt',
    issuer: server.app.issuer,
    currentDate: server.clock.now(),
  })
  const revoked = new Map<string, number>()
  for (const [expiry, packed] of Object.entries(payload.revoked as Record<string, string>)) {
    const digests = Buffer.from(packed, 'base64url')
    for (let at = 0; at < digests.length; at += 16) {
      revoked.set(digests.subarray(at, at + 16).toString('base64url'), Number(expiry))
    }
  }
  return { ...(payload as unknown as Pick<List, 'iat' | 'seq' | 'since'>), revoked }
}
