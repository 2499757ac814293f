import { assertTime, frozen, readClaims } from './access-token.ts'
import type { AccessTokenClaims } from './claims.ts'
import { assertSignature, readJws } from './compact-jws.ts'
import { markOf } from './digest-set.ts'
import { assertIssuer, Discovery } from './discovery.ts'
import { reasonOf } from './download.ts'
import { IssuerConnection } from './issuer-connection.ts'
import { KeySet } from './key-set.ts'
import { RevocationFeed } from './revocation-feed.ts'
import { RevocationSet } from './revocation-set.ts'
import { SignatureCache, type VerifiedToken } from './signature-cache.ts'
import { VerificationError } from './verification-error.ts'
import {
  readOptions,
  type Settings,
  type VerifierEvent,
  type VerifierOptions,
} from './verifier-options.ts'

export type { AccessTokenClaims } from './claims.ts'
export { type VerificationCode, VerificationError } from './verification-error.ts'
export type { RevocationOptions, VerifierEvent, VerifierOptions } from './verifier-options.ts'

/** For health checks and metrics. */
export interface VerifierStatus {
  /** Age of the list of revocations: 0 when it is fresh, Infinity before the first and without a feed. */
  readonly staleSeconds: number
  /** Whether there is a feed and it is followed. */
  readonly following: boolean
  /** How many keys are known. */
  readonly keys: number
  /** How many revocations are held. */
  readonly entries: number
}

export interface Verifier {
  /**
   * The claims of a good token.
   * @throws VerificationError
   */
  verify(token: string): Promise<AccessTokenClaims>
  /** Discovery, keys and the first list are there. Not needed: `verify` waits by itself. */
  ready(): Promise<void>
  readonly status: VerifierStatus
  /** Ends the long poll and all timers. A forgotten close keeps no process alive. */
  close(): Promise<void>
}

/**
 * Verifies access tokens of one issuer for one service, without asking anybody about a token. Nothing
 * is fetched before the first `verify` or `ready`.
 * @throws TypeError when an option is wrong
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const settings = readOptions(options)
  assertIssuer(settings.issuer)
  return new OfflineVerifier(settings)
}

/** As long as the issuer writes the claims of a token. */
const maxPayloadLength = 8192

class OfflineVerifier implements Verifier {
  readonly #settings: Settings
  readonly #keys: KeySet
  readonly #feed: RevocationFeed | undefined
  readonly #lists: RevocationSet | undefined
  readonly #remembered: SignatureCache
  readonly #connection = new IssuerConnection()
  readonly #closing = new AbortController()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#remembered = new SignatureCache(settings.rememberTokens)
    const get = settings.fetch ?? this.#connection.get
    const services = { ...settings, get, signal: this.#closing.signal }
    const onProblem = this.#problem('discovery')
    const discovery = new Discovery({ ...services, onProblem })
    this.#keys = new KeySet({
      ...services,
      discovery,
      maxAgeSeconds: settings.jwksMaxAgeSeconds,
      maxStaleSeconds: settings.jwksMaxStaleSeconds,
      onProblem: this.#problem('keys'),
      onKeys: (kids, changed) => {
        if (changed) this.#tell({ type: 'keys', kids })
        const { revocationsUri } = discovery.metadata ?? {}
        // Metadata that no longer name a feed switch no check off.
        if (revocationsUri && !services.signal.aborted) this.#feed?.follow(revocationsUri)
      },
    })
    if (!settings.revocations) return
    this.#lists = new RevocationSet({
      ...services,
      ...settings.revocations,
      onList: (list) => this.#tell({ type: 'list', ...list }),
      onStale: (staleSeconds) => this.#tell({ type: 'stale', staleSeconds }),
      onFresh: () => this.#tell({ type: 'fresh' }),
    })
    this.#feed = new RevocationFeed({
      ...services,
      ...settings.revocations,
      lists: this.#lists,
      findKey: (kid) => this.#keys.find(kid),
      onProblem: this.#problem('revocations'),
    })
  }

  async verify(token: string): Promise<AccessTokenClaims> {
    const waiting = this.#prepare()
    if (waiting) await staysFor(waiting)
    if (typeof token !== 'string' || token.length > 2 * maxPayloadLength) {
      throw new VerificationError('token_malformed', 'not a compact JWS')
    }
    const digest = this.#remembered.digestOf(token)
    const remembered = digest === undefined ? undefined : this.#remembered.get(digest)
    // A key that is no longer published takes its tokens with it, however well they are known.
    const isKnown = remembered && this.#keys.known(remembered.kid) === remembered.key
    const verified = isKnown ? remembered : await this.#read(token)
    try {
      this.#assertLive(verified)
    } catch (error) {
      if (digest !== undefined) this.#remembered.delete(digest)
      throw error
    }
    if (digest !== undefined && !isKnown) this.#remembered.add(digest, verified)
    return verified.claims
  }

  async ready(): Promise<void> {
    const waiting = this.#prepare()
    if (waiting) await staysFor(waiting)
    if (!this.#feed?.following || this.status.staleSeconds < Number.POSITIVE_INFINITY) return
    throw new VerificationError('revocations_stale', 'the first list of revocations did not come')
  }

  get status(): VerifierStatus {
    return {
      staleSeconds: this.#lists?.staleSeconds ?? Number.POSITIVE_INFINITY,
      following: this.#feed?.following ?? false,
      keys: this.#keys.size,
      entries: this.#lists?.entries ?? 0,
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#feed?.ended()
    this.#connection.close()
  }

  /** Nothing to wait for, nearly always. */
  #prepare(): Promise<void> | undefined {
    if (this.#closing.signal.aborted) {
      throw new VerificationError('keys_unavailable', 'the verifier was closed')
    }
    const keys = this.#keys.tend()
    return keys ? keys.then(() => this.#feed?.first) : this.#feed?.first
  }

  /** What never changes about a token: spelling, signature and claims. */
  async #read(token: string): Promise<VerifiedToken> {
    const jws = readJws(token, ['at+jwt'], maxPayloadLength)
    const key = this.#keys.known(jws.kid) ?? (await staysFor(this.#keys.find(jws.kid)))
    await assertSignature(jws, key)
    const claims = frozen(readClaims(jws.payload, this.#settings))
    const marks = [markOf('jti', claims.jti), markOf('client', claims.client_id)]
    if (claims.sid !== undefined) marks.push(markOf('sid', claims.sid))
    return { claims, kid: jws.kid, key, marks: [...marks, markOf('kid', jws.kid)] }
  }

  /** What changes: time, revocations, and whether we would know of them. */
  #assertLive({ claims, marks }: VerifiedToken): void {
    const { now, clockToleranceSeconds, revocations } = this.#settings
    assertTime(claims, now().getTime() / 1000, clockToleranceSeconds)
    if (!revocations || !this.#lists) return
    if (this.#lists.isRevokedAny(marks)) {
      throw new VerificationError(
        'token_revoked',
        'the token, its session, client or key is revoked',
      )
    }
    const isStale = this.#feed?.following ? this.#lists.checkStale() : true
    if (isStale && revocations.onStale === 'reject') {
      throw new VerificationError('revocations_stale', 'the list of revocations is too old to tell')
    }
  }

  #problem(about: 'discovery' | 'keys' | 'revocations') {
    return (error: unknown) => {
      if (this.#closing.signal.aborted) return
      this.#tell({ type: 'problem', about, reason: reasonOf(error) })
    }
  }

  /** Whoever listens cannot break what it listens to. */
  #tell(event: VerifierEvent): void {
    try {
      const told: unknown = this.#settings.onEvent(event)
      if (told instanceof Promise) told.catch(() => undefined)
    } catch {
      // Its own affair.
    }
  }
}

/**
 * Sockets and timers of the verifier keep no process alive. A call of the service does, until it has
 * its answer: it ends with its own deadline.
 */
async function staysFor<T>(answer: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, 60_000)
  try {
    return await answer
  } finally {
    clearInterval(hold)
  }
}
