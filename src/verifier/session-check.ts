/** The session of a web app with a person, as the app remembers it. */
export interface WebSession {
  /** `sid` of the ID token. */
  readonly sid: string
  /** When the session was last known to live, in milliseconds since the epoch: at first the time of its sign-in. */
  readonly checkedAt: number
}

/**
 * - `live`: the session had not ended by `checkedAt`.
 * - `ended`: sign the person out of the app.
 * - `unknown`: it was not checked for too long. Refresh its tokens, or send the person to sign in again, which
 *   asks nothing of a person who is still signed in at the issuer.
 */
export type SessionState = 'live' | 'ended' | 'unknown'

export interface SessionCheck {
  readonly state: SessionState
  /** The next `checkedAt` to remember. */
  readonly checkedAt: number
}

/** The issuer remembers the end of a session for a day; clocks may differ by a minute. */
const rememberedMilliseconds = (86_400 - 60) * 1000

/**
 * Judges a session by the list.
 * @param freshAt when the issuer read the newest list, in milliseconds since the epoch
 */
export function judgeSession(
  { checkedAt }: WebSession,
  { isEnded, freshAt, now }: { isEnded: boolean; freshAt: number; now: number },
): SessionCheck {
  if (isEnded) return { state: 'ended', checkedAt }
  const age = now - checkedAt
  // Also if there is no time, or one that lies in the future.
  if (!(age < rememberedMilliseconds && age > -60_000)) return { state: 'unknown', checkedAt }
  return { state: 'live', checkedAt: Math.max(checkedAt, Math.min(freshAt, now)) }
}

/** A session as the store of the app has it: the guard writes to it when it was checked. */
export type StoredSession = { -readonly [Member in keyof WebSession]: WebSession[Member] }

type Found = StoredSession | undefined

/** How a guard finds the session of a request, and what it does when the session has ended. */
export interface SessionGuardOptions<Parts extends readonly unknown[]> {
  /** Undefined when nobody is signed in: the request goes on. */
  readonly session: (...parts: Parts) => Found | Promise<Found>
  /** Answers instead of the handlers that follow: deletes the session of the app, and redirects to its sign-in. */
  readonly onEnded: (state: 'ended' | 'unknown', ...parts: Parts) => unknown
}

/** So that an app that stores its sessions on every change does not write at every request. */
const writeEveryMilliseconds = 60_000

/** A verifier, as far as sessions need it. */
interface SessionChecker {
  checkSession(session: WebSession): Promise<SessionCheck>
}

/** Checks the session of one request. @returns true if the request may go on */
export async function admitSession<Parts extends readonly unknown[]>(
  verifier: SessionChecker,
  { session: find, onEnded }: SessionGuardOptions<Parts>,
  ...parts: Parts
): Promise<boolean> {
  const session = await find(...parts)
  if (session === undefined) return true
  const { state, checkedAt } = await verifier.checkSession(session)
  if (state === 'live') {
    if (checkedAt - session.checkedAt > writeEveryMilliseconds) session.checkedAt = checkedAt
    return true
  }
  await onEnded(state, ...parts)
  return false
}
