import { randomBytes } from 'node:crypto'
import type { Db } from '../stores/postgres.ts'
import type { MasterKeys } from './master-keys.ts'
import { seal, unseal } from './sealing.ts'

/**
 * A random secret that every instance shares, made once and kept sealed. Rewrapping changes only the
 * seal, so a new master key ends nobody's session.
 */
export async function sealedSecret(
  db: Db,
  masterKeys: MasterKeys,
  name: string,
  now: Date,
): Promise<Uint8Array> {
  const sealed = await readSealed(db, name)
  if (sealed) return unseal(masterKeys, name, sealed)
  await db('sealed_secrets')
    .insert({
      name,
      secret_jwe: await seal(masterKeys, name, randomBytes(32)),
      master_key_id: masterKeys.newest.id,
      created_at: now,
    })
    .onConflict('name')
    .ignore()
  // Another instance may have been first: what the table holds now is the secret.
  return unseal(masterKeys, name, (await readSealed(db, name)) ?? '')
}

async function readSealed(db: Db, name: string): Promise<string | undefined> {
  const row = await db('sealed_secrets').where({ name }).first('secret_jwe')
  return row?.secret_jwe
}
