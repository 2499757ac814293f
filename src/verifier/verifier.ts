import type { AccessTokenClaims } from './access-token.ts'
import { assertTime, frozen, readClaims } from './access-token.ts'
import { assertSignature, readJws } from './compact-jws.ts'
import { markOf } from './digest-set.ts'
import { assertIssuer, Discovery } from './discovery.ts'
import { reasonOf } from './download.ts'
import { IssuerConnection } from './issuer-connection.ts'
import { KeySet } from './key-set.ts'
import { RevocationFeed } from './revocation-feed.ts'
import { RevocationSet } from './revocation-set.ts'
import { judgeSession, type SessionCheck, type WebSession } from './session-check.ts'
import { SignatureCache, type VerifiedToken } from './signature-cache.ts'
import { VerificationError } from './verification-error.ts'
import {
  readOptions,
  type Settings,
  type VerifierEvent,
  type VerifierOptions,
} from './verifier-options.ts'

export type { AccessTokenClaims } from './access-token.ts'
export type { SessionCheck, SessionState, StoredSession, WebSession } from './session-check.ts'
export { type TokenCheck, type VerificationCode, VerificationError } from './verification-error.ts'
export type { RevocationOptions, VerifierEvent, VerifierOptions } from './verifier-options.ts'

/** The state of a verifier, for health checks and metrics. */
export interface VerifierStatus {
  /** Age of the revocation list in seconds; Infinity before the first list and without a feed. */
  readonly staleSeconds: number
  /** True if a feed is followed. */
  readonly following: boolean
  /** Number of known keys. */
  readonly keys: number
  /** Number of known revocations. */
  readonly entries: number
}

export interface Verifier {
  /**
   * Verifies a token and returns its claims.
   * @throws VerificationError
   */
  verify(token: string): Promise<AccessTokenClaims>
  /**
   * Checks the session that a web app has with a person, by the `sid` of its ID token and without a network
   * call: it has ended about a second after the person signed out at the issuer. It never rejects because of
   * the issuer; without a list nothing is known to have ended.
   */
  checkSession(session: WebSession): Promise<SessionCheck>
  /** Resolves when metadata, keys and the first list are loaded. Optional, because `verify` waits too. */
  ready(): Promise<void>
  readonly status: VerifierStatus
  /** Ends the long poll and all timers. A verifier that is not closed keeps no process alive. */
  close(): Promise<void>
}

/**
 * Creates a verifier of access tokens of one issuer for one service. It makes no network call per token, and
 * fetches nothing before the first `verify` or `ready`.
 * @throws TypeError when an option is wrong
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const settings = readOptions(options)
  assertIssuer(settings.issuer)
  return new OfflineVerifier(settings)
}

/** The longest payload that the issuer writes. */
const maxPayloadLength = 8192

class OfflineVerifier implements Verifier {
  readonly #settings: Settings
  readonly #keys: KeySet
  readonly #feed: RevocationFeed | undefined
  readonly #lists: RevocationSet | undefined
  readonly #cache: SignatureCache
  readonly #connection = new IssuerConnection()
  readonly #closing = new AbortController()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#cache = new SignatureCache(settings.rememberTokens)
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
        if (changed) this.#emit({ type: 'keys', kids })
        const { revocationsUri } = discovery.metadata ?? {}
        // Metadata that no longer name a feed do not disable the check.
        if (revocationsUri && !services.signal.aborted) this.#feed?.follow(revocationsUri)
      },
    })
    if (!settings.revocations) return
    this.#lists = new RevocationSet({
      ...services,
      ...settings.revocations,
      onList: (list) => this.#emit({ type: 'list', ...list }),
      onStale: (staleSeconds) => this.#emit({ type: 'stale', staleSeconds }),
      onFresh: () => this.#emit({ type: 'fresh' }),
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
    const loading = this.#prepare()
    if (loading) await keepAliveFor(loading)
    if (typeof token !== 'string' || token.length > 2 * maxPayloadLength) {
      throw new VerificationError('token_malformed', 'not a compact JWS')
    }
    const digest = this.#cache.digestOf(token)
    const cached = digest === undefined ? undefined : this.#cache.get(digest)
    // A key that is no longer published invalidates its cached tokens.
    const isKnown = cached && this.#keys.known(cached.kid) === cached.key
    const verified = isKnown ? cached : await this.#read(token)
    try {
      this.#assertLive(verified)
    } catch (error) {
      if (digest !== undefined) this.#cache.delete(digest)
      throw error
    }
    if (digest !== undefined && !isKnown) this.#cache.add(digest, verified)
    return verified.claims
  }

  async checkSession(session: WebSession): Promise<SessionCheck> {
    const loading = this.#prepare()
    // Without keys there is no list either, and the age of the list decides.
    if (loading) await keepAliveFor(loading.catch(() => undefined))
    const { now, revocations } = this.#settings
    const isStale = this.#lists && this.#feed?.following ? this.#lists.checkStale() : true
    if (isStale && revocations?.onStale === 'reject') {
      return { state: 'unknown', checkedAt: session.checkedAt }
    }
    return judgeSession(session, {
      isEnded: this.#lists?.isRevokedAny([markOf('sid', session.sid)]) ?? false,
      freshAt: (this.#lists?.freshAt ?? Number.NEGATIVE_INFINITY) * 1000,
      now: now().getTime(),
    })
  }

  async ready(): Promise<void> {
    const loading = this.#prepare()
    if (loading) await keepAliveFor(loading)
    if (!this.#feed?.following || this.status.staleSeconds < Number.POSITIVE_INFINITY) return
    throw new VerificationError('revocations_stale', 'the first revocation list did not arrive')
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

  /** @returns a promise while keys or the first list are loading */
  #prepare(): Promise<void> | undefined {
    if (this.#closing.signal.aborted) {
      throw new VerificationError('keys_unavailable', 'the verifier was closed')
    }
    const keys = this.#keys.tend()
    return keys ? keys.then(() => this.#feed?.first) : this.#feed?.first
  }

  /** Checks everything about a token that cannot change: form, signature and claims. */
  async #read(token: string): Promise<VerifiedToken> {
    const jws = readJws(token, ['at+jwt'], maxPayloadLength)
    const key = this.#keys.known(jws.kid) ?? (await keepAliveFor(this.#keys.find(jws.kid)))
    await assertSignature(jws, key)
    const claims = frozen(readClaims(jws.payload, this.#settings))
    const marks = [markOf('jti', claims.jti), markOf('client', claims.client_id)]
    if (claims.sid !== undefined) marks.push(markOf('sid', claims.sid))
    return { claims, kid: jws.kid, key, marks: [...marks, markOf('kid', jws.kid)] }
  }

  /** Checks everything that can change: time, revocations, and the age of the revocation list. */
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
      throw new VerificationError('revocations_stale', 'the revocation list is too old')
    }
  }

  #problem(about: 'discovery' | 'keys' | 'revocations') {
    return (error: unknown) => {
      if (this.#closing.signal.aborted) return
      this.#emit({ type: 'problem', about, reason: reasonOf(error) })
    }
  }

  /** Ignores errors of the listener. */
  #emit(event: VerifierEvent): void {
    try {
      const result: unknown = this.#settings.onEvent(event)
      if (result instanceof Promise) result.catch(() => undefined)
    } catch {
      // An error of the listener must not affect verification.
    }
  }
}

/**
 * Keeps the process alive until the promise settles. The sockets and timers of the verifier do not, but a
 * pending call of the service must; it ends by its own deadline.
 */
async function keepAliveFor<T>(result: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, 60_000)
  try {
    return await result
  } finally {
    clearInterval(hold)
  }
}
