import type { Client } from './client.ts'

/** Lifetimes in seconds, configured for the server. A client may have its own. */
export interface Lifetimes {
  readonly accessTokenSeconds: number
  /** The upper bound for every client: signing keys and revocations are kept for this long. */
  readonly accessTokenMaxSeconds: number
  readonly sessionIdleSeconds: number
  readonly sessionAbsoluteSeconds: number
}

/** The lifetimes that apply to one client. */
export const lifetimesOf = (client: Client, lifetimes: Lifetimes): Lifetimes => ({
  accessTokenSeconds: Math.min(
    client.accessTokenSeconds ?? lifetimes.accessTokenSeconds,
    lifetimes.accessTokenMaxSeconds,
  ),
  accessTokenMaxSeconds: lifetimes.accessTokenMaxSeconds,
  sessionIdleSeconds: client.sessionIdleSeconds ?? lifetimes.sessionIdleSeconds,
  sessionAbsoluteSeconds: client.sessionAbsoluteSeconds ?? lifetimes.sessionAbsoluteSeconds,
})
