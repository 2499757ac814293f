import { createHash, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { compare } from 'bcrypt'
import { type Argon2Parameters, argon2Hash, readArgon2 } from './argon2-hashes.ts'
import { bound, HashError, hashLimits, type PasswordHash } from './hash-limits.ts'

/**
 * Password hashes as other systems wrote them: read once at the import, verified once at the next
 * sign-in, which replaces them by argon2id (D5). What a line of an import asks this server to compute
 * is bounded, in time (about a second) and in memory, and everything else is refused.
 */

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
 * @param own the cost that this server hashes with: never beyond the limits, whatever it is
 * @throws HashRefused
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
    'the format of the password hash is unknown; known are bcrypt, scrypt, PBKDF2 and argon2 as Django, passlib and PHC strings write them',
  )
}

/**
 * bcrypt sees 72 bytes, and so did the old system: what it took is taken once more. A NUL is not
 * taken: bcrypt repeats the password with a NUL behind it, so `a` and `a NUL a` have one hash.
 * $2y$ and $2b$ are one algorithm, and $2a$ is it too for all that anybody types.
 */
function bcrypt(cost: string, rest: string, prepare = (text: string) => text): PasswordHash {
  if (Number(cost) < 4) throw new HashError('bcrypt: bad cost')
  bound('bcrypt cost', Number(cost), hashLimits.bcryptCost)
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
  bound('scrypt memory in KiB', (N * r) / 8, hashLimits.scryptMemoryKib)
  bound('scrypt work', N * r * p, hashLimits.scryptWork)
  const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)
  const maxmem = 128 * r * (N + p + 2) + 1024
  return comparing(key, (password) => derive(password, salt, key.length, { N, r, p, maxmem }))
}

const digestBytes: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 }

function pbkdf2Hash(digest: string, rounds: string, salt: Buffer, key: Buffer): PasswordHash {
  const [iterations, bytes = 0] = [Number(rounds), digestBytes[digest]]
  if (iterations < 1) throw new HashError('PBKDF2: bad cost')
  keyLength('PBKDF2', key, bytes, bytes)
  bound('PBKDF2 iterations', iterations, hashLimits.pbkdf2Iterations)
  return comparing(key, (password) => promisify(pbkdf2)(password, salt, iterations, bytes, digest))
}

const comparing = (key: Buffer, derive: (password: string) => Promise<Buffer>): PasswordHash => ({
  verify: async (password) => timingSafeEqual(await derive(password), key),
})

/** A short key would match many passwords, an empty one all of them. */
function keyLength(what: string, key: Buffer, least: number, most: number): void {
  if (key.length >= least && key.length <= most) return
  throw new HashError(`${what}: the hash has ${key.length} bytes`)
}

const base64 = (text: string): Buffer => Buffer.from(text, 'base64')
const ab64 = (text: string): Buffer => base64(text.replaceAll('.', '+'))
