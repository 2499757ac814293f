/** What a limit counts by: an IPv4 address or an IPv6 /64, an IPv4 /24 or an IPv6 /48, … */
export type Trait = 'address' | 'network' | 'email' | 'person' | 'client' | 'link'

/** So many points in a window that begins with the first. The policy names it in RateLimit fields. */
export interface Limit {
  readonly policy: string
  readonly points: number
  readonly windowSeconds: number
  readonly per: readonly Trait[]
}

const minute = 60
const hour = 60 * minute
const day = 24 * hour

const limit = <const Per extends readonly Trait[]>(
  policy: string,
  points: number,
  windowSeconds: number,
  per: Per,
) => ({ policy, points, windowSeconds, per })

/**
 * Every limit, in the order in which it is asked: what the caller has alone, then what it shares with
 * neighbours, then what belongs to somebody else. So whoever is refused uses up nothing of others.
 * (ASVS 6.1.1 wants them written down: here they are.)
 */
export const limits = {
  // Each attempt counts. A short window, because strangers behind one address share it; one address
  // cannot use up what its network has.
  registration: [
    limit('registration', 20, 10 * minute, ['address']),
    limit('registration-network', 200, hour, ['network']),
  ],
  // Nobody's mailbox is filled by strangers who come from everywhere.
  registrationMail: [limit('registration-email', 5, hour, ['email'])],
  passwordReset: [
    limit('password-reset-address', 30, hour, ['address']),
    limit('password-reset', 3, hour, ['email']),
  ],
  verification: [
    limit('verification-address', 30, hour, ['address']),
    limit('verification', 3, hour, ['person']),
  ],
  emailChange: [limit('email-change', 5, hour, ['person'])],
  // Each ends sessions, is mailed, and takes two password checks.
  passwordChange: [limit('password-change', 10, hour, ['person'])],
  personalDataExport: [limit('personal-data-export', 10, hour, ['person'])],
  usernameChange: [limit('username-change', 10, hour, ['person'])],
  apiKeyCreation: [limit('api-key-creation', 20, hour, ['person'])],

  // Only failures count. GuessDelays adds what an account can bear.
  signIn: [
    limit('sign-in-address', 100, hour, ['address']),
    limit('sign-in-network', 1000, hour, ['network']),
  ],
  // Whoever holds a stolen session must not find out the password with it.
  passwordConfirmation: [limit('password-confirmation', 10, 15 * minute, ['person'])],
  // The reader of an address must not guess the password of its account. A day, because the link lives so long.
  linkConfirmation: [limit('link-confirmation', 10, day, ['link'])],
  // Each try with a link that is good, of which many may be refused for their password.
  linkPassword: [limit('link-password', 20, hour, ['person'])],
  // Links and client secrets cannot be guessed and are checked first: the limits refuse failures only,
  // so that a flood of them costs no rows and no caller with the right one.
  oneTimeToken: [limit('one-time-token', 30, 15 * minute, ['address'])],
  // Beyond it a refused revocation leaves no audit event; the answer stays the same.
  foreignRevocation: [
    limit('revocation-refused', 10, hour, ['client', 'address']),
    limit('revocation-refused-client', 100, hour, ['client']),
  ],
  // A client that keeps sending an old secret uses up little of what its neighbours share.
  clientAuthentication: [
    limit('client-authentication', 30, 15 * minute, ['client', 'address']),
    limit('client-authentication-address', 300, 15 * minute, ['address']),
  ],
}

/** How failures to sign in to one account, from one device or from all unknown ones, slow down. */
export interface DelayLimits {
  /** Failures that cost no waiting. */
  readonly freeFailures: number
  /** Doubles with each further failure. */
  readonly firstDelaySeconds: number
  readonly longestDelaySeconds: number
  /** Everything is forgotten after so long without a failure. */
  readonly forgetSeconds: number
}

export const delayLimits: DelayLimits = {
  freeFailures: 5,
  firstDelaySeconds: 1,
  longestDelaySeconds: 15 * minute,
  forgetSeconds: day,
}

export type Kind = keyof typeof limits
export type Limits = { readonly [K in Kind]: readonly Limit[] }

/** What a caller knows about whoever attempts something. Nothing of it is stored in clear. */
export interface Facts {
  readonly ip: string
  readonly email: string
  readonly person: string
  readonly client: string
  /** The token of a link in a mail. */
  readonly link: string
}

type FactOf<T extends Trait> = T extends 'address' | 'network' ? 'ip' : Extract<T, keyof Facts>

/** The facts that the limits of a kind count by. */
export type FactsFor<K extends Kind> = Pick<
  Facts,
  FactOf<(typeof limits)[K][number]['per'][number]>
>
