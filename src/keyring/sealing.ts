import { randomBytes } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import type { Knex } from 'knex'
import type { Db } from '../stores/postgres.ts'
import { MasterKeyError, type MasterKeys } from './master-keys.ts'

/**
 * Seals a secret for the database: JWE, `dir`, A256GCM (RFC 7516), under the newest master key. The
 * name of the row is in the protected header, so that a sealed text does not open in another row.
 */
export function seal(masterKeys: MasterKeys, name: string, secret: Uint8Array): Promise<string> {
  return new CompactEncrypt(secret)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: masterKeys.newest.id, sub: name })
    .encrypt(masterKeys.derive('sealing'))
}

/** @throws MasterKeyError if the master key is missing or the sealed text was changed */
export async function unseal(
  masterKeys: MasterKeys,
  name: string,
  sealed: string,
): Promise<Uint8Array> {
  const { kid, sub } = readHeader(name, sealed)
  const key = masterKeys.derive('sealing', kid)
  try {
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    if (sub !== name) throw new Error(`it was sealed as ${sub}`)
    return plaintext
  } catch (cause) {
    throw changed(name, cause)
  }
}

function readHeader(name: string, sealed: string): { kid: string; sub: unknown } {
  try {
    const { kid, sub } = decodeProtectedHeader(sealed)
    if (typeof kid === 'string') return { kid, sub }
  } catch (cause) {
    throw changed(name, cause)
  }
  throw changed(name, new Error('it names no master key'))
}

const changed = (name: string, cause: unknown) =>
  new MasterKeyError(
    `The secret ${name} in the database does not open: it was changed. Restore it from a backup.`,
    { cause },
  )

/**
 * A random secret that all instances share, created once and stored sealed. Rewrapping changes only
 * the seal, so a new master key ends no session.
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
  // Another instance may have been first: the secret is the one in the table.
  return unseal(masterKeys, name, (await readSealed(db, name)) ?? '')
}

async function readSealed(db: Db, name: string): Promise<string | undefined> {
  const row = await db('sealed_secrets').where({ name }).first('secret_jwe')
  return row?.secret_jwe
}

/**
 * Seals everything again with the newest master key. A row changes only if it was not changed
 * meanwhile, so a rewrap may run beside a rotation and may be repeated.
 * @returns how many secrets were sealed again
 */
export async function rewrap(db: Knex, masterKeys: MasterKeys): Promise<number> {
  const keys = await rewrapTable(db, masterKeys, 'signing_keys', 'kid', 'private_jwe')
  return keys + (await rewrapTable(db, masterKeys, 'sealed_secrets', 'name', 'secret_jwe'))
}

/** Opens every secret of the database, and says which ones do not open. */
export async function openAll(
  db: Knex,
  masterKeys: MasterKeys,
): Promise<{ opened: number; failures: string[] }> {
  const keys = db('signing_keys')
    .whereNotNull('private_jwe')
    .select('kid as name', 'private_jwe as sealed')
  const secrets = db('sealed_secrets').select('name', 'secret_jwe as sealed')
  const rows: { name: string; sealed: string }[] = await keys.unionAll([secrets])
  const failures: string[] = []
  for (const { name, sealed } of rows) {
    await unseal(masterKeys, name, sealed).catch((error: Error) => failures.push(error.message))
  }
  return { opened: rows.length - failures.length, failures: [...new Set(failures)] }
}

/** The ids of the master keys that the database still needs. */
export async function masterKeysInUse(db: Knex): Promise<string[]> {
  const keys = db('signing_keys').whereNotNull('private_jwe').select('master_key_id')
  const secrets = db('sealed_secrets').select('master_key_id')
  const rows: { master_key_id: string }[] = await keys.union([secrets])
  return rows.map((row) => row.master_key_id)
}

async function rewrapTable(
  db: Knex,
  masterKeys: MasterKeys,
  table: string,
  nameColumn: string,
  sealedColumn: string,
): Promise<number> {
  const rows: Record<string, string>[] = await db(table)
    .whereNotNull(sealedColumn)
    .whereNot('master_key_id', masterKeys.newest.id)
    .select(nameColumn, sealedColumn)
  let moved = 0
  for (const row of rows) {
    const name = row[nameColumn] ?? ''
    const sealed = row[sealedColumn] ?? ''
    const secret = await unseal(masterKeys, name, sealed)
    moved += await db(table)
      .where({ [nameColumn]: name, [sealedColumn]: sealed })
      .update({
        [sealedColumn]: await seal(masterKeys, name, secret),
        master_key_id: masterKeys.newest.id,
      })
  }
  return moved
}
