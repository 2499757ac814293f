import { timingSafeEqual } from 'node:crypto'
import type { Knex } from 'knex'
import { later } from '../clock.ts'
import { createSecret, digestSecret } from '../oauth/opaque-token.ts'

/**
 * Compares a secret with every live one in constant time, and with a dummy if there is none: a client
 * that does not exist takes as long as one that does.
 */
export function matchesAny(secret: string, digests: readonly Buffer[]): boolean {
  const presented = digestSecret(secret)
  const candidates = digests.length > 0 ? digests : [Buffer.alloc(presented.length)]
  return candidates.map((digest) => timingSafeEqual(presented, digest)).includes(true)
}

/**
 * Adds a secret to a client. The newest one so far stays valid for `overlapSeconds`, in the other of
 * the two slots; an older one is overwritten.
 */
export async function addSecret(
  trx: Knex.Transaction,
  clientId: string,
  overlapSeconds: number,
  now: Date,
): Promise<string> {
  const secret = createSecret('scs_')
  const newest: { slot: number } | undefined = await trx('client_secrets')
    .where({ client_id: clientId, expires_at: null })
    .first('slot')
  if (newest) {
    await trx('client_secrets')
      .where({ client_id: clientId, slot: newest.slot })
      .update({ expires_at: later(now, overlapSeconds) })
  }
  await trx('client_secrets')
    .insert({
      client_id: clientId,
      slot: newest?.slot === 1 ? 2 : 1,
      digest: digestSecret(secret),
      created_at: now,
      expires_at: null,
    })
    .onConflict(['client_id', 'slot'])
    .merge()
  return secret
}

/** A secret that a client has, live or not, without itself. */
export interface KnownSecret {
  readonly client_id: string
  readonly created_at: Date
  /** null for the newest one. */
  readonly expires_at: Date | null
}

/** The client of a secret; for operators. A client has two at most, so that few rows are read. */
export const readSecret = (db: Knex, secret: string): Promise<KnownSecret | undefined> =>
  db<KnownSecret & { digest: Buffer }>('client_secrets')
    .where({ digest: digestSecret(secret) })
    .first('client_id', 'created_at', 'expires_at')
