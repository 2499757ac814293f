import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../errors.ts'

/** One master key: 256 random bits that never enter the database. */
interface MasterKey {
  /** Names the key beside each sealed secret: the start of its SHA-256, which reveals nothing. */
  readonly id: string
  readonly secret: Buffer
  /** Where it was found: a file, or a position in MASTER_KEYS. */
  readonly source: string
}

/** A master key that is missing, unreadable or malformed; the message says which and what to do. */
export class MasterKeyError extends OperatorError {
  override readonly name = 'MasterKeyError'
}

/** All available master keys: the newest seals, each of them opens. */
export class MasterKeys {
  readonly newest: MasterKey
  readonly #byId: ReadonlyMap<string, MasterKey>

  /** @param newestFirst at least one key */
  constructor(newestFirst: readonly MasterKey[]) {
    const [newest] = newestFirst
    if (!newest) throw new MasterKeyError('There is no master key.')
    this.newest = newest
    this.#byId = new Map(newestFirst.map((key) => [key.id, key]))
  }

  get all(): MasterKey[] {
    return [...this.#byId.values()]
  }

  /**
   * A 256-bit key for one purpose, HKDF-SHA-256 (RFC 5869) with the purpose as its info: a derived
   * key reveals nothing about another.
   * @throws MasterKeyError if the master key is missing
   */
  derive(purpose: string, id: string = this.newest.id): Uint8Array {
    const key = this.#byId.get(id)
    if (!key) {
      throw new MasterKeyError(
        `The database holds secrets sealed by master key ${id}, which is not here (here: ${[...this.#byId.keys()].join(', ')}). ` +
          'Put its file back into KEYS_DIR or its value into MASTER_KEYS.',
      )
    }
    return new Uint8Array(hkdfSync('sha256', key.secret, new Uint8Array(), `signet ${purpose}`, 32))
  }
}

function parseMasterKey(text: string, source: string): MasterKey {
  const secret = Buffer.from(text.trim(), 'base64url')
  if (secret.length !== 32 || secret.toString('base64url') !== text.trim()) {
    throw new MasterKeyError(`The master key in ${source} is not base64url of 32 bytes.`)
  }
  if (secret.every((byte) => byte === secret[0])) {
    throw new MasterKeyError(
      `The master key in ${source} is not random. Make one with: signet keys new-master`,
    )
  }
  const id = createHash('sha256').update(secret).digest('base64url').slice(0, 10)
  return { id, secret, source }
}

/** Parses MASTER_KEYS, newest first. */
export const masterKeysFrom = (values: readonly string[]): MasterKeys =>
  new MasterKeys(values.map((value, i) => parseMasterKey(value, `MASTER_KEYS, number ${i + 1}`)))

/** Reads the folder; the file name that sorts last is the newest. Undefined if there is no key. */
export async function readMasterKeys(folder: string): Promise<MasterKeys | undefined> {
  const names = await readdir(folder).catch((cause) => {
    if (cause.code === 'ENOENT') return []
    throw new MasterKeyError(`KEYS_DIR cannot be read: ${cause.message}`, { cause })
  })
  const newestFirst = names
    .filter((name) => name.endsWith('.key'))
    .sort()
    .reverse()
  if (newestFirst.length === 0) return undefined
  return new MasterKeys(await Promise.all(newestFirst.map((name) => readKeyFile(folder, name))))
}

async function readKeyFile(folder: string, name: string): Promise<MasterKey> {
  const path = join(folder, name)
  const { mode } = await stat(path)
  if (mode & 0o077) {
    throw new MasterKeyError(`${path} can be read by others. Run: chmod 600 ${path}`)
  }
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new MasterKeyError(`The master key cannot be read: ${cause.message}`, { cause })
  })
  return parseMasterKey(text, path)
}

/** Creates a master key as a file that sorts after the existing ones. */
export async function createMasterKey(folder: string, now: Date): Promise<string> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new MasterKeyError(`KEYS_DIR cannot be made: ${cause.message}`, { cause })
  })
  const stamp = now
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '')
  const path = join(folder, `master-${stamp}.key`)
  const text = `${randomBytes(32).toString('base64url')}\n`
  await writeFile(path, text, { mode: 0o600, flag: 'wx' }).catch((cause) => {
    throw new MasterKeyError(`The master key cannot be written: ${cause.message}`, { cause })
  })
  await chmod(path, 0o600)
  return path
}
