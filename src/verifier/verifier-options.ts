/** Whether the revocation feed is followed, and what its absence means. */
export interface RevocationOptions {
  /** What happens to good tokens while the list is older than `maxStaleSeconds`. Default: `accept`. */
  readonly onStale?: 'accept' | 'reject'
  /** Default: 60. */
  readonly maxStaleSeconds?: number
  /** A longer answer is refused while it is read. Default: 16 MiB. */
  readonly maxListBytes?: number
}

export interface VerifierOptions {
  /** Exactly the `iss` of the tokens. Everything else is found below it: RFC 8414. */
  readonly issuer: string
  /** This service: one of them has to be in `aud`. */
  readonly audience: string | readonly string[]
  /** How far the clocks may be apart for `exp` and `nbf`. Default: 5. */
  readonly clockToleranceSeconds?: number
  /** Beside `iss sub aud exp iat jti client_id`, which RFC 9068 §2.2 requires. */
  readonly requiredClaims?: readonly string[]
  /** `false`: not followed. Default: followed when the metadata names a feed. */
  readonly revocations?: false | RevocationOptions
  /** How many verified tokens are remembered by their digest. Default: 1000; 0: none. */
  readonly rememberTokens?: number
  /** Of one request to the issuer, body included; of the long poll: its wait and this. Default: 5. */
  readonly timeoutSeconds?: number
  /** The longest that keys count as fresh, whatever `Cache-Control` says. Default: 300. */
  readonly jwksMaxAgeSeconds?: number
  /** How long the last keys go on when the issuer does not answer. Default: 86400. */
  readonly jwksMaxStaleSeconds?: number
  /** At most one request in this time for `kid`s that nobody knows. Default: 30. */
  readonly unknownKidCooldownSeconds?: number
  /** For proxies and tests. Default: connections of the verifier's own, by Node's HTTP client. */
  readonly fetch?: typeof globalThis.fetch
  readonly now?: () => Date
  /** For logs and metrics. */
  readonly onEvent?: (event: VerifierEvent) => void
}

export type VerifierEvent =
  /** The published keys are others than before. */
  | { readonly type: 'keys'; readonly kids: readonly string[] }
  /** A list was applied; `entries` are all that are held now. */
  | { readonly type: 'list'; readonly full: boolean; readonly entries: number }
  /** The list has become older than `maxStaleSeconds`. */
  | { readonly type: 'stale'; readonly staleSeconds: number }
  | { readonly type: 'fresh' }
  /** Something did not work and is tried again. */
  | {
      readonly type: 'problem'
      readonly about: 'discovery' | 'keys' | 'revocations'
      readonly reason: string
    }

/** The options, with every default in its place. */
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

/** The issuer keeps a revocation for a minute longer than its token lives: no tolerance may be longer. */
const maxClockToleranceSeconds = 60

/** @throws TypeError on the first mistake: a verifier that checks less than was meant must not start */
export function readOptions(options: VerifierOptions): Settings {
  const { audience: given, revocations: feed = {}, ...others } = options
  const audience = typeof given === 'string' ? [given] : [...(given ?? [])]
  const revocations = feed === false ? undefined : { ...revocationDefaults, ...defined(feed) }
  const settings = { ...defaults, ...defined(others), audience, revocations }
  const named = audience.length > 0 && audience.every((name) => typeof name === 'string' && name)
  demand(named, 'audience has to name this service')
  demand(Array.isArray(settings.requiredClaims), 'requiredClaims has to be a list of names')
  for (const name of ['fetch', 'now', 'onEvent'] as const) {
    const value = settings[name]
    demand(value === undefined || typeof value === 'function', `${name} has to be a function`)
  }
  demandNumber(settings, 'clockToleranceSeconds', 0, maxClockToleranceSeconds)
  demandNumber(settings, 'rememberTokens', 0)
  demandNumber(settings, 'timeoutSeconds', 0.001, 3600)
  demandNumber(settings, 'jwksMaxAgeSeconds', 0.001)
  demandNumber(settings, 'jwksMaxStaleSeconds', 0.001)
  demandNumber(settings, 'unknownKidCooldownSeconds', 0.001)
  if (revocations) {
    demand(typeof feed === 'object', 'revocations is false or an object')
    demand(['accept', 'reject'].includes(revocations.onStale), 'onStale is accept or reject')
    demandNumber(revocations, 'maxStaleSeconds', 0.001)
    demandNumber(revocations, 'maxListBytes', 1)
  }
  return settings
}

/** An option that is undefined is one that was not given. */
function defined<T extends object>(options: T): T {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as T
}

function demand(isSo: unknown, message: string): asserts isSo {
  if (!isSo) throw new TypeError(message)
}

function demandNumber<T>(options: T, name: keyof T, from: number, to = 2 ** 31): void {
  const value = options[name]
  const fits = typeof value === 'number' && value >= from && value <= to
  demand(fits, `${String(name)} has to be a number between ${from} and ${to}`)
}
