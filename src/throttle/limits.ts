/** A limit counts by these. `address`: an IPv4 address or an IPv6 /64; `network`: an IPv4 /24 or an IPv6 /48. */
export type Trait = 'address' | 'network' | 'email' | 'person' | 'client' | 'link'

/** A number of points in a window that begins with the first. The policy is its name in RateLimit fields. */
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
 * Every limit (ASVS 6.1.1), in the order in which it is checked: first what concerns only the caller, then
 * what it shares with its neighbours, then what concerns somebody else. A caller who is refused uses up
 * nothing of the others.
 */
export const limits = {
  // Every attempt counts. The window is short, because strangers may share an address; one address
  // cannot use up the limit of its network.
  registration: [
    limit('registration', 20, 10 * minute, ['address']),
    limit('registration-network', 200, hour, ['network']),
  ],
  // Strangers cannot flood a mailbox from many addresses.
  registrationMail: [limit('registration-email', 5, hour, ['email'])],
  passwordReset: [
    limit('password-reset-address', 30, hour, ['address']),
    limit('password-reset', 3, hour, ['email']),
  ],
  verification: [
    limit('verification-address', 30, hour, ['address']),
    limit('verification', 3, hour, ['person']),
  ],
  // Codes have 40 bits. Only wrong ones count; the link in the same mail still works.
  emailCode: [
    limit('email-code-address', 60, hour, ['address']),
    limit('email-code', 10, hour, ['email']),
  ],
  emailChange: [limit('email-change', 5, hour, ['person'])],
  // Each change ends sessions, sends a mail, and takes two password checks.
  passwordChange: [limit('password-change', 10, hour, ['person'])],
  personalDataExport: [limit('personal-data-export', 10, hour, ['person'])],
  usernameChange: [limit('username-change', 10, hour, ['person'])],
  apiKeyCreation: [limit('api-key-creation', 20, hour, ['person'])],

  // Only failures count. GuessDelays adds the limit of an account.
  signIn: [
    limit('sign-in-address', 100, hour, ['address']),
    limit('sign-in-network', 1000, hour, ['network']),
  ],
  // A stolen session must not reveal the password.
  passwordConfirmation: [limit('password-confirmation', 10, 15 * minute, ['person'])],
  // The reader of an address must not guess the password of its account. The link is valid for a day.
  linkConfirmation: [limit('link-confirmation', 10, day, ['link'])],
  // Attempts with a valid link, many of which may be refused for their password.
  linkPassword: [limit('link-password', 20, hour, ['person'])],
  // Links and client secrets cannot be guessed and are checked first. The limits refuse only failures, so
  // that a flood writes no rows and never refuses a caller with the right secret.
  oneTimeToken: [limit('one-time-token', 30, 15 * minute, ['address'])],
  // Beyond these limits a refused revocation leaves no audit event; the answer stays the same.
  foreignRevocation: [
    limit('revocation-refused', 10, hour, ['client', 'address']),
    limit('revocation-refused-client', 100, hour, ['client']),
  ],
  // A client that keeps sending an old secret uses up little of its neighbours' limit.
  clientAuthentication: [
    limit('client-authentication', 30, 15 * minute, ['client', 'address']),
    limit('client-authentication-address', 300, 15 * minute, ['address']),
  ],
}

/** Growing delays after failed sign-ins to one account, from one device or from all unknown devices. */
export interface DelayLimits {
  /** Failures without a delay. */
  readonly freeFailures: number
  /** Doubles with each failure. */
  readonly firstDelaySeconds: number
  readonly longestDelaySeconds: number
  /** All failures are forgotten after this time without one. */
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

/** Facts about an attempt. They are stored only as keyed digests. */
export interface Facts {
  readonly ip: string
  readonly email: string
  readonly person: string
  readonly client: string
  /** The token of a link in a mail. */
  readonly link: string
}

type FactOf<T extends Trait> = T extends 'address' | 'network' ? 'ip' : Extract<T, keyof Facts>

/** The facts that the limits of one kind count by. */
export type FactsFor<K extends Kind> = Pick<
  Facts,
  FactOf<(typeof limits)[K][number]['per'][number]>
>
