import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import {
  createVerifier,
  type Verifier,
  type VerifierEvent,
  type VerifierOptions,
} from '../../src/verifier/verifier.ts'
import { forge, rsa, type Signer } from '../support/clients/forge.ts'
import { takePlace } from '../support/server/places.ts'

export const audience = 'https://orders.example'

type Claims = Record<string, unknown>
type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void
type Kind = 'jti' | 'sid' | 'client' | 'kid'

export interface Pair {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export function newKey(kid: string = randomUUID(), modulusLength = 2048): Pair {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength }) }
}

export const digestOf = (kind: Kind, value: string): Buffer =>
  createHash('sha256').update(`${kind}:${value}`).digest().subarray(0, 16)

/**
 * An issuer of the tests' own, which does what a test wants of it, also what no issuer should. Its clock
 * is that of its verifiers, and stands still until it is moved.
 */
export class EvilIssuer {
  readonly calls: string[] = []
  readonly waiting = new Set<ServerResponse>()
  /** Responses by path (without the query) that replace the genuine ones. */
  readonly answers: Partial<Record<'metadata' | 'keys' | 'feed', Answer>> = {}
  published: Pair[]
  signer: Pair
  maxAge: string | undefined = 'public, max-age=300'
  hasFeed = true
  issuer = ''
  #origin = ''
  #seconds = 1_800_000_000
  readonly #entries: { expiresAt: number; digest: Buffer }[] = []
  readonly now = (): Date => new Date(this.#seconds * 1000)

  constructor(path: string, key: Pair) {
    this.signer = key
    this.published = [key]
    this.#path = path
  }

  readonly #path: string

  get seconds(): number {
    return this.#seconds
  }

  get origin(): string {
    return this.#origin
  }

  advance(seconds: number): void {
    this.#seconds += seconds
  }

  listensAt(origin: string): void {
    this.#origin = origin
    this.issuer = `${origin}${this.#path}`
  }

  count(part: string): number {
    return this.calls.filter((call) => call.includes(part)).length
  }

  readonly handle: Answer = (request, response, url) => {
    this.calls.push(url.pathname + url.search)
    if (url.pathname.startsWith('/.well-known/oauth-authorization-server')) {
      return (this.answers.metadata ?? this.metadata)(request, response, url)
    }
    if (url.pathname.endsWith('/keys'))
      return (this.answers.keys ?? this.keys)(request, response, url)
    if (url.pathname.endsWith('/feed'))
      return (this.answers.feed ?? this.feed)(request, response, url)
    response.writeHead(404).end()
  }

  readonly metadata: Answer = (_request, response) => {
    json(response, this.metadataOf())
  }

  metadataOf(changes: Claims = {}): Claims {
    const { issuer } = this
    const place = issuer.replace(/\/$/, '')
    const feed = this.hasFeed && { revocations_uri: `${place}/feed` }
    return { issuer, jwks_uri: `${place}/keys`, ...feed, ...changes }
  }

  readonly keys: Answer = (_request, response) => {
    if (this.maxAge !== undefined) response.setHeader('cache-control', this.maxAge)
    json(response, this.jwks())
  }

  jwks(pairs: readonly Pair[] = this.published) {
    const keys = pairs.map(({ kid, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      ...{ kid, alg: 'RS256', use: 'sig' },
    }))
    return { keys }
  }

  /** As the real one: a delta when its sequence is known, after a wait when there is nothing new. */
  readonly feed: Answer = (_request, response, url) => {
    const since = url.searchParams.get('since') ?? undefined
    const isNew = since === undefined || Number(since) < this.#entries.length
    if (isNew || !url.searchParams.has('wait')) return this.sendList(response, since)
    this.waiting.add(response)
    response.on('close', () => this.waiting.delete(response))
    response.once('answer', () => this.sendList(response, since))
  }

  sendList(response: ServerResponse, since?: string): void {
    response.setHeader('content-type', 'application/jwt')
    response.end(this.list(since === undefined ? {} : { since }))
  }

  /** Ends the wait of all who wait, as when their time is over. */
  answerAll(): void {
    for (const response of this.waiting) response.emit('answer')
    this.waiting.clear()
  }

  list(claims: Claims = {}, header: Claims = {}, signer: Signer = rsa(this.signer.privateKey)) {
    const entries = this.#entries.slice(Number(claims.since ?? 0))
    const revoked: Record<string, Buffer[]> = {}
    for (const { expiresAt, digest } of entries) {
      revoked[expiresAt] ??= []
      revoked[expiresAt].push(digest)
    }
    const groups = Object.entries(revoked).map(([expiresAt, digests]) => [
      expiresAt,
      Buffer.concat(digests).toString('base64url'),
    ])
    return forge(
      { alg: 'RS256', typ: 'revocations+jwt', kid: this.signer.kid, ...header },
      {
        ...{ iss: this.issuer, iat: this.#seconds, seq: String(this.#entries.length) },
        ...{ revoked: Object.fromEntries(groups), ...claims },
      },
      signer,
    )
  }

  revoke(kind: Kind, value: string, seconds = 960): void {
    const expiresAt = Math.ceil((this.#seconds + seconds) / 60) * 60
    this.#entries.push({ expiresAt, digest: digestOf(kind, value) })
    this.answerAll()
  }

  /** The log as a backup has it: nothing of what came after. */
  restore(): void {
    this.#entries.length = 0
  }

  claims(claims: Claims = {}): Claims {
    const iat = this.#seconds
    return {
      ...{ iss: this.issuer, sub: 'ada', aud: audience, exp: iat + 900, iat, jti: randomUUID() },
      ...{ client_id: 'app', scope: 'read write', sid: randomUUID(), ...claims },
    }
  }

  header(header: Claims = {}): Claims {
    return { alg: 'RS256', typ: 'at+jwt', kid: this.signer.kid, ...header }
  }

  token(claims: Claims = {}, header: Claims = {}, signer = rsa(this.signer.privateKey)): string {
    return forge(this.header(header), this.claims(claims), signer)
  }
}

export function json(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}

let spare: Pair | undefined

/** One key for all that do not care: making one takes a while. */
export function anyKey(): Pair {
  spare ??= newKey()
  return spare
}

export async function startIssuer(
  t: ExecutionContext<unknown>,
  { path = '', key = anyKey() } = {},
): Promise<EvilIssuer> {
  await takePlace(t)
  const issuer = new EvilIssuer(path, key)
  const server = createServer((request, response) => {
    issuer.handle(request, response, new URL(request.url ?? '/', issuer.origin))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer.listensAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return issuer
}

/** A verifier of this issuer on its clock, closed with the test, and what it tells. */
export function verifierOf(
  t: ExecutionContext<unknown>,
  issuer: Pick<EvilIssuer, 'issuer' | 'now'>,
  options: Partial<VerifierOptions> = {},
): Verifier & { readonly events: VerifierEvent[] } {
  const events: VerifierEvent[] = []
  const verifier = createVerifier({
    ...{ issuer: issuer.issuer, audience, now: issuer.now, timeoutSeconds: 20 },
    onEvent: (event) => events.push(event),
    ...options,
  })
  t.teardown(() => verifier.close())
  return {
    verify: (token) => verifier.verify(token),
    checkSession: (session) => verifier.checkSession(session),
    ready: () => verifier.ready(),
    close: () => verifier.close(),
    get status() {
      return verifier.status
    },
    events,
  }
}

/** The outcome for a token: `accepted`, or the code of its refusal. */
export async function outcome(verifier: Verifier, token: unknown): Promise<string> {
  try {
    await verifier.verify(token as string)
    return 'accepted'
  } catch (error) {
    const { name, code, message } = error as Error & { code: string }
    if (name !== 'VerificationError') throw error
    // A refusal goes into logs: nothing of the token may be in it.
    if (typeof token === 'string' && token.length > 40 && message.includes(token.slice(0, 40))) {
      throw new Error('the refusal repeats the token')
    }
    return code
  }
}
