import type { User } from '../users/user.ts'

/** The device of a sign-in. */
export interface Device {
  readonly ip: string
  /** The device's own description of itself; shown to the person. */
  readonly userAgent?: string | undefined
  /** When the person last signed in on it; absent: it is new to them. */
  readonly knownSince?: Date | undefined
}

/**
 * A verified identity: who, when, how, how surely, and from which device. Factors produce it; sessions
 * begin from it, and policies weigh it. Nothing else says that somebody has signed in.
 */
export interface Authentication {
  readonly user: User
  /** `auth_time` */
  readonly at: Date
  /** `amr`, by the names of RFC 8176. */
  readonly methods: readonly string[]
  /** `acr`: one factor. No token carries it yet. */
  readonly level: 'urn:signet:acr:one'
  readonly device: Device
}

/** The authentication of a person who has given their password, or has just chosen it. */
export const passwordAuthentication = (user: User, at: Date, device: Device): Authentication => ({
  user,
  at,
  methods: ['pwd'],
  level: 'urn:signet:acr:one',
  device,
})
