import type { Knex } from 'knex'
import { later } from '../clock.ts'
import { digestSecret, makeSecret } from './secrets.ts'

/**
 * Adds a secret of a client; its newest one stays beside it for `overlapSeconds`, in the other of the
 * two slots. Of an older third one nothing is left.
 */
export async function addSecret(
  trx: Knex.Transaction,
  clientId: string,
  overlapSeconds: number,
  now: Date,
): Promise<string> {
  const secret = makeSecret()
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
