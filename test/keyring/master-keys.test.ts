import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createMasterKey, masterKeysFrom, readMasterKeys } from '../../src/keyring/master-keys.ts'

const folder = () => mkdtemp(join(tmpdir(), 'signet-keys-'))
const secret = () => randomBytes(32).toString('base64url')
const second = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, n))

test('a new master key is a file for its owner alone, and the newest of several seals', async (t) => {
  const keys = join(await folder(), 'deeper', 'keys')
  const first = await createMasterKey(keys, second(1))
  const alone = await readMasterKeys(keys)
  t.is(alone?.newest.source, first)
  const path = await createMasterKey(keys, second(2))
  const both = await readMasterKeys(keys)
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.is(both?.newest.source, path)
  t.deepEqual(
    both?.all.map(({ source }) => source),
    [path, first],
  )
  const text = await readFile(path, 'utf8')
  t.false(text.includes(both?.newest.id ?? ''), 'its id gives nothing of it away')
  t.is(masterKeysFrom([text]).newest.id, both?.newest.id as string)
})

test('a key file that others can read is refused, with the command that fixes it', async (t) => {
  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o610]) {
    const keys = await folder()
    const path = await createMasterKey(keys, second(1))
    await chmod(path, mode)
    const refusal = {
      name: 'MasterKeyError',
      message: `${path} can be read by others. Run: chmod 600 ${path}`,
    }
    await t.throwsAsync(readMasterKeys(keys), refusal, mode.toString(8))
  }
})

test('a damaged key file is refused by name, without quoting its content', async (t) => {
  for (const text of ['', 'short', `${secret()}x`, `"${secret()}"`, `${secret()}\n${secret()}`]) {
    const keys = await folder()
    const path = join(keys, 'master-1.key')
    await writeFile(path, text, { mode: 0o600 })
    const refusal = await t.throwsAsync(readMasterKeys(keys), { name: 'MasterKeyError' })
    t.is(refusal?.message, `The master key in ${path} is not base64url of 32 bytes.`)
  }
})

test('an error in MASTER_KEYS says which key is malformed, without quoting it', (t) => {
  const wrong = `${secret()}=`
  const refusal = t.throws(() => masterKeysFrom([secret(), wrong]), { name: 'MasterKeyError' })
  t.is(refusal?.message, 'The master key in MASTER_KEYS, number 2 is not base64url of 32 bytes.')
})

test('a folder without keys gives undefined; one that cannot be read is an error', async (t) => {
  t.is(await readMasterKeys(join(await folder(), 'missing')), undefined)
  t.is(await readMasterKeys(await folder()), undefined)
  const file = await createMasterKey(await folder(), second(1))
  await t.throwsAsync(readMasterKeys(file), { name: 'MasterKeyError', message: /KEYS_DIR cannot/ })
  await t.throwsAsync(createMasterKey(join(file, 'keys'), second(1)), { name: 'MasterKeyError' })
})

test('two master keys created in the same second do not overwrite each other', async (t) => {
  const keys = await folder()
  const path = await createMasterKey(keys, second(1))
  const before = await readFile(path, 'utf8')
  await t.throwsAsync(createMasterKey(keys, second(1)), { name: 'MasterKeyError' })
  t.is(await readFile(path, 'utf8'), before)
})
