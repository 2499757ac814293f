import { createHash, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { verify } from 'argon2'
import { compare } from 'bcrypt'

/**
 * Password hashes in this server's own format and in those of other systems. A foreign hash is read
 * once at the import and verified once at the next sign-in, which replaces it by argon2id. The work
 * that a line of an import can make this server do is bounded, in time (about a second) and in memory.
 */

/** A hash in a known format, with its parameters within the limits. */
interface PasswordHash {
  verify(password: string): Promise<boolean>
}

/** A hash that this server cannot, or should not, verify. The message says why and never shows the hash. */
export class HashError extends Error {
  override readonly name = 'HashError'
}

const limits = {
  bcryptCost: 14,
  scryptMemoryKib: 262_144,
  /** N · r · p: 2^22 is 4 times the recommended value. */
  scryptWork: 2 ** 22,
  pbkdf2Iterations: 5_000_000,
  argon2MemoryKib: 262_144,
  /** Memory in KiB times passes: one pass over a gibibyte. */
  argon2Work: 1_048_576,
  argon2Lanes: 16,
} as const

function bound(name: string, value: number, limit: number): void {
  if (value > limit) throw new HashError(`${name} is ${value}, more than the limit ${limit}`)
}

export interface Argon2Parameters {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** Reads a PHC string with its parameters in any order, with or without Django's prefix. */
export function readArgon2(text: string) {
  const found =
    /^(?:argon2)?(\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$([mtp=,\d]{1,64})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86})$/.exec(
      text,
    )
  const [, phc = '', parameters = ''] = found ?? []
  const cost = new Map(parameters.split(',').map((part) => [part[0], Number(part.slice(2))]))
  const [memoryKib = 0, passes = 0, lanes = 0] = [cost.get('m'), cost.get('t'), cost.get('p')]
  const isWhole = cost.size === 3 && /^([mtp]=\d{1,9},?){3}$/.test(parameters)
  return isWhole ? { phc, memoryKib, passes, lanes } : undefined
}

function argon2Hash(phc: string, cost: Argon2Parameters, own?: Argon2Parameters): PasswordHash {
  const { memoryKib, passes, lanes } = cost
  const isOwn = own && memoryKib <= own.memoryKib && passes <= own.passes && lanes <= own.lanes
  if (memoryKib < 8 * lanes || passes < 1 || lanes < 1) throw new HashError('argon2: bad cost')
  if (!isOwn) {
    bound('argon2 memory in KiB', memoryKib, limits.argon2MemoryKib)
    bound('argon2 memory times passes', memoryKib * passes, limits.argon2Work)
    bound('argon2 lanes', lanes, limits.argon2Lanes)
  }
  return { verify: (password) => verify(phc, password) }
}

const b64 = '([A-Za-z0-9+/]+={0,2})'
const forms: readonly [RegExp, (...parts: string[]) => PasswordHash][] = [
  [/^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{53})$/, (cost, rest) => bcrypt(cost, rest)],
  // Django; its second form hashes the SHA-256 of the password in hex, to get around the 72 bytes.
  [/^bcrypt\$\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{53})$/, (cost, rest) => bcrypt(cost, rest)],
  [
    /^bcrypt_sha256\$\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{53})$/,
    (cost, rest) => bcrypt(cost, rest, (text) => createHash('sha256').update(text).digest('hex')),
  ],
  // passlib, and any other PHC string: ln is log2 of N.
  [
    new RegExp(`^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,4}),p=(\\d{1,4})\\$${b64}\\$${b64}$`),
    (ln, r, p, salt, key) => scryptHash(2 ** Number(ln), r, p, base64(salt), base64(key)),
  ],
  // Django.
  [
    new RegExp(`^scrypt\\$(\\d{1,9})\\$([\\x21-\\x7e]{1,128})\\$(\\d{1,4})\\$(\\d{1,4})\\$${b64}$`),
    (n, salt, r, p, key) => scryptHash(Number(n), r, p, Buffer.from(salt), base64(key)),
  ],
  // Node's crypto.scrypt with the salt as a string and the key in hex, written as Werkzeug does.
  [
    /^scrypt:(\d{1,9}):(\d{1,4}):(\d{1,4})\$([\x21-\x7e]{1,128})\$((?:[0-9a-f]{2})+)$/i,
    (n, r, p, salt, key) => scryptHash(Number(n), r, p, Buffer.from(salt), Buffer.from(key, 'hex')),
  ],
  // Django.
  [
    new RegExp(`^pbkdf2_(sha1|sha256)\\$(\\d{1,9})\\$([\\x21-\\x7e]{1,128})\\$${b64}$`),
    (digest, rounds, salt, key) => pbkdf2Hash(digest, rounds, Buffer.from(salt), base64(key)),
  ],
  // passlib, whose base64 has a dot for the plus.
  [
    /^\$pbkdf2-(sha256|sha512)\$(\d{1,9})\$([A-Za-z0-9./]{1,172})\$([A-Za-z0-9./]+)$/,
    (digest, rounds, salt, key) => pbkdf2Hash(digest, rounds, ab64(salt), ab64(key)),
  ],
]

/**
 * @param own the cost that this server hashes with, which is always within the limits
 * @throws HashError when the format is unknown or the cost is beyond the limits
 */
export function readHash(text: string, own?: Argon2Parameters): PasswordHash {
  if (text.length > 512) throw new HashError('the password hash is too long')
  const argon2 = readArgon2(text)
  if (argon2) return argon2Hash(argon2.phc, argon2, own)
  for (const [form, read] of forms) {
    const [, ...parts] = form.exec(text) ?? []
    if (parts.length > 0) return read(...parts)
  }
  throw new HashError(
    'unknown format of the password hash; supported are bcrypt, scrypt, PBKDF2 and argon2 as Django, passlib and PHC strings write them',
  )
}

/**
 * bcrypt reads 72 bytes, here as in the old system. A password with a NUL is refused: bcrypt repeats
 * the password with a NUL behind it, so `a` and `a NUL a` have the same hash. $2y$ and $2b$ are one
 * algorithm, and so is $2a$ for everything that can be typed.
 */
function bcrypt(cost: string, rest: string, prepare = (text: string) => text): PasswordHash {
  if (Number(cost) < 4) throw new HashError('bcrypt: bad cost')
  bound('bcrypt cost', Number(cost), limits.bcryptCost)
  const hash = `$2b$${cost}$${rest}`
  return {
    async verify(password) {
      const same = await compare(prepare(password.replaceAll('\0', '')), hash)
      return same && !password.includes('\0')
    },
  }
}

function scryptHash(N: number, rText: string, pText: string, salt: Buffer, key: Buffer) {
  const [r, p] = [Number(rText), Number(pText)]
  if (N < 2 || !Number.isInteger(Math.log2(N)) || r < 1 || p < 1) {
    throw new HashError('scrypt: bad cost')
  }
  keyLength('scrypt', key, 16, 64)
  bound('scrypt memory in KiB', (N * r) / 8, limits.scryptMemoryKib)
  bound('scrypt work', N * r * p, limits.scryptWork)
  const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)
  const maxmem = 128 * r * (N + p + 2) + 1024
  return comparing(key, (password) => derive(password, salt, key.length, { N, r, p, maxmem }))
}

const digestBytes: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 }

function pbkdf2Hash(digest: string, rounds: string, salt: Buffer, key: Buffer): PasswordHash {
  const [iterations, bytes = 0] = [Number(rounds), digestBytes[digest]]
  if (iterations < 1) throw new HashError('PBKDF2: bad cost')
  keyLength('PBKDF2', key, bytes, bytes)
  bound('PBKDF2 iterations', iterations, limits.pbkdf2Iterations)
  return comparing(key, (password) => promisify(pbkdf2)(password, salt, iterations, bytes, digest))
}

const comparing = (key: Buffer, derive: (password: string) => Promise<Buffer>): PasswordHash => ({
  verify: async (password) => timingSafeEqual(await derive(password), key),
})

/** A short key would match many passwords, an empty key all of them. */
function keyLength(name: string, key: Buffer, least: number, most: number): void {
  if (key.length >= least && key.length <= most) return
  throw new HashError(`${name}: the hash has ${key.length} bytes`)
}

const base64 = (text: string): Buffer => Buffer.from(text, 'base64')
const ab64 = (text: string): Buffer => base64(text.replaceAll('.', '+'))
