import type { Knex } from 'knex'
import type { MasterKeys } from './master-keys.ts'
import { seal, unseal } from './sealing.ts'

/**
 * Seals everything anew with the newest master key. Each row changes only if nobody changed it
 * meanwhile, so a rewrap may run beside a rotation and may be run again.
 * @returns how many secrets moved
 */
export async function rewrap(db: Knex, masterKeys: MasterKeys): Promise<number> {
  const keys = await rewrapTable(db, masterKeys, 'signing_keys', 'kid', 'private_jwe')
  return keys + (await rewrapTable(db, masterKeys, 'sealed_secrets', 'name', 'secret_jwe'))
}

/** The master keys that the database still needs. */
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
