/** How the revocation feed is followed. */
export interface RevocationOptions {
  /** The treatment of valid tokens while the list is older than `maxStaleSeconds`. Default: `accept`. */
  readonly onStale?: 'accept' | 'reject'
  /** Default: 60. */
  readonly maxStaleSeconds?: number
  /** A longer response is rejected while it is read. Default: 16 MiB. */
  readonly maxListBytes?: number
}

export interface VerifierOptions {
  /** The exact `iss` of the tokens, at which RFC 8414 metadata are discovered. */
  readonly issuer: string
  /** This service. One of the values must be in `aud`. */
  readonly audience: string | readonly string[]
  /** Allowed clock difference for `exp` and `nbf`. Default: 5. */
  readonly clockToleranceSeconds?: number
  /** In addition to `iss sub aud exp iat jti client_id`, which RFC 9068 §2.2 requires. */
  readonly requiredClaims?: readonly string[]
  /** `false`: the feed is not followed. Default: it is followed when the metadata name one. */
  readonly revocations?: false | RevocationOptions
  /** How many verified tokens are cached by their digest. Default: 1000; 0: none. */
  readonly rememberTokens?: number
  /** For one request to the issuer, including its body; added to the wait of a long poll. Default: 5. */
  readonly timeoutSeconds?: number
  /** Upper limit for the freshness of keys, whatever `Cache-Control` says. Default: 300. */
  readonly jwksMaxAgeSeconds?: number
  /** How long the known keys stay in use while the issuer does not answer. Default: 86400. */
  readonly jwksMaxStaleSeconds?: number
  /** Unknown `kid`s cause at most one request in this time. Default: 30. */
  readonly unknownKidCooldownSeconds?: number
  /** For proxies and tests. Default: the verifier's own connections with Node's HTTP client. */
  readonly fetch?: typeof globalThis.fetch
  readonly now?: () => Date
  /** For logs and metrics. */
  readonly onEvent?: (event: VerifierEvent) => void
}

export type VerifierEvent =
  /** The published keys have changed. */
  | { readonly type: 'keys'; readonly kids: readonly string[] }
  /** A list was added; `entries` is the number of known revocations. */
  | { readonly type: 'list'; readonly full: boolean; readonly entries: number }
  /** The list has become older than `maxStaleSeconds`. */
  | { readonly type: 'stale'; readonly staleSeconds: number }
  | { readonly type: 'fresh' }
  /** Something failed and will be retried. */
  | {
      readonly type: 'problem'
      readonly about: 'discovery' | 'keys' | 'revocations'
      readonly reason: string
    }

/** The options with all defaults. */
export interface Settings
  extends Omit<Required<VerifierOptions>, 'audience' | 'revocations' | 'fetch'> {
  readonly audience: readonly string[]
  readonly revocations: Required<RevocationOptions> | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
}

const defaults = {
  clockToleranceSeconds: 5,
  requiredClaims: [],
  rememberTokens: 1000,
  timeoutSeconds: 5,
  jwksMaxAgeSeconds: 300,
  jwksMaxStaleSeconds: 86_400,
  unknownKidCooldownSeconds: 30,
  now: () => new Date(),
  onEvent: () => undefined,
} as const

const revocationDefaults = {
  onStale: 'accept',
  maxStaleSeconds: 60,
  maxListBytes: 16 * 1024 * 1024,
} as const

/** The issuer keeps a revocation for a minute longer than its token lives, so this is the limit. */
const maxClockToleranceSeconds = 60

/** @throws TypeError for a wrong option, so that no verifier checks less than intended */
export function readOptions(options: VerifierOptions): Settings {
  const { audience: given, revocations: feed = {}, ...others } = options
  const audience = typeof given === 'string' ? [given] : [...(given ?? [])]
  const revocations = feed === false ? undefined : { ...revocationDefaults, ...defined(feed) }
  const settings = { ...defaults, ...defined(others), audience, revocations }
  const named = audience.length > 0 && audience.every((name) => typeof name === 'string' && name)
  demand(named, 'audience must name this service')
  demand(Array.isArray(settings.requiredClaims), 'requiredClaims must be a list of names')
  for (const name of ['fetch', 'now', 'onEvent'] as const) {
    const value = settings[name]
    demand(value === undefined || typeof value === 'function', `${name} must be a function`)
  }
  demandNumber(settings, 'clockToleranceSeconds', 0, maxClockToleranceSeconds)
  demandNumber(settings, 'rememberTokens', 0)
  demandNumber(settings, 'timeoutSeconds', 0.001, 3600)
  demandNumber(settings, 'jwksMaxAgeSeconds', 0.001)
  demandNumber(settings, 'jwksMaxStaleSeconds', 0.001)
  demandNumber(settings, 'unknownKidCooldownSeconds', 0.001)
  if (revocations) {
    demand(typeof feed === 'object', 'revocations must be false or an object')
    demand(['accept', 'reject'].includes(revocations.onStale), 'onStale must be accept or reject')
    demandNumber(revocations, 'maxStaleSeconds', 0.001)
    demandNumber(revocations, 'maxListBytes', 1)
  }
  return settings
}

/** Drops undefined options, which count as absent. */
function defined<T extends object>(options: T): T {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as T
}

function demand(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TypeError(message)
}

function demandNumber<T>(options: T, name: keyof T, from: number, to = 2 ** 31): void {
  const value = options[name]
  const fits = typeof value === 'number' && value >= from && value <= to
  demand(fits, `${String(name)} must be a number between ${from} and ${to}`)
}
