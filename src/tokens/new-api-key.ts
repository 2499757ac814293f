import type { Knex } from 'knex'

/** A request for a key. */
export interface NewApiKey {
  readonly userId: string
  readonly name: string
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly expiresAt: Date | null
  /** The key ends with this client. */
  readonly clientId?: string | undefined
  /** Identifies the password that confirmed the request: if it was changed meanwhile, no key is created. */
  readonly passwordChangedAt?: Date | undefined
  /** The session of the request: if it or its client ended meanwhile, no key is created. */
  readonly sid?: string | undefined
  /** The same for a request from a browser that has signed in. */
  readonly browserSessionId?: string | undefined
  /** Chosen by the page that was shown, so that a form that is sent twice creates one key. */
  readonly chosen?: ChosenApiKey | undefined
  readonly ip?: string | undefined
}

/** The id and the secret of a key, before it exists. */
export interface ChosenApiKey {
  readonly id: string
  readonly secret: string
}

/** Locks client and session: a transaction that ends one of them waits for the key, and then ends it. */
export async function holdsSession(
  trx: Knex.Transaction,
  { userId, clientId, sid, browserSessionId }: NewApiKey,
  now: Date,
): Promise<boolean> {
  if (clientId !== undefined) {
    const client = await trx('clients')
      .where({ id: clientId, disabled_at: null })
      .forShare()
      .first('id')
    if (!client) return false
  }
  if (sid !== undefined) {
    const session = await trx('refresh_families')
      .where({ sid, user_id: userId, revoked_at: null })
      .where('expires_at', '>', now)
      .where('idle_expires_at', '>', now)
      .forShare()
      .first('sid')
    if (!session) return false
  }
  if (browserSessionId === undefined) return true
  const browser = await trx('browser_sessions')
    .where({ id: browserSessionId, user_id: userId, revoked_at: null })
    .where('expires_at', '>', now)
    .where('idle_expires_at', '>', now)
    .forShare()
    .first('id')
  return browser !== undefined
}
