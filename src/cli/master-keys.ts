import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { OperatorError } from '../errors.ts'
import { createMasterKey, readMasterKeys } from '../keyring/master-keys.ts'
import { masterKeysInUse, rewrap } from '../keyring/sealing.ts'
import { loadConfig, withServices } from '../server/open-runtime.ts'
import { answers, example } from './output.ts'

export function rewrapCommand(keys: Command): void {
  const command = keys
    .command('rewrap')
    .description('reseal all secrets in the database with the newest master key')
  example(command, 'signet keys rewrap')
  answers(command, () =>
    withServices(async (_services, { db, masterKeys }) => {
      const moved = await rewrap(db, masterKeys)
      const needed = await masterKeysInUse(db)
      const { id: newest } = masterKeys.newest
      const spare = masterKeys.all
        .filter(({ id }) => !needed.includes(id))
        .map(({ id, source }) => ({ id, source }))
      const lines = [
        `${moved} ${moved === 1 ? 'secret' : 'secrets'} resealed with master key ${newest}.`,
        ...spare.map(({ id, source }) => `No longer needed: master key ${id} (${source}).`),
        ...(spare.length > 0 ? ['Keep it as long as you keep database backups that need it.'] : []),
      ]
      return { json: { moved, newest, needed, spare }, text: lines.join('\n') }
    }),
  )
}

export function newMasterCommand(keys: Command): void {
  const command = keys
    .command('new-master')
    .description('create a master key in KEYS_DIR; every instance needs the file before the rewrap')
    .option('--print', 'print the key for a secret manager and write no file')
  example(command, 'signet keys new-master', 'signet keys new-master --print')
  answers<{ print?: boolean }>(command, async ({ print }) => {
    if (print) {
      const masterKey = randomBytes(32).toString('base64url')
      return { json: { masterKey }, text: masterKey }
    }
    const { KEYS_DIR, MASTER_KEYS } = loadConfig()
    if (MASTER_KEYS) {
      throw new OperatorError(
        'MASTER_KEYS is set, so a file in KEYS_DIR would not be read. Print a key instead with ' +
          'signet keys new-master --print, and put it first in MASTER_KEYS.',
      )
    }
    const path = await createMasterKey(KEYS_DIR, new Date())
    const newest = (await readMasterKeys(KEYS_DIR))?.newest
    if (newest?.source !== path) {
      throw new OperatorError(
        `Created ${path}, but ${newest?.source} sorts after it and would be used to seal. Rename one of them.`,
      )
    }
    const { id } = newest
    const lines = [
      `Created master key ${id}: ${path}`,
      '1. Back it up, separately from the database.',
      '2. Copy it to every instance and restart them.',
      '3. Run: signet keys rewrap',
    ]
    return { json: { path, id }, text: lines.join('\n') }
  })
}
