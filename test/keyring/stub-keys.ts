import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { SigningKeys, StoredKey } from '../../src/keyring/signing-keys.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicJwk = publicKey.export({ format: 'jwk' })
const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })

/** A key of the table that has signed since 2025. All have the same numbers, and a KeyObject each. */
export const storedKey = (kid: string, generation: number, revokedAt: Date | null = null) => ({
  kid,
  generation,
  publicJwk: { ...publicJwk, kid },
  publishedAt: new Date('2025-01-01T00:00:00Z'),
  signsFrom: new Date('2025-01-01T00:00:00Z'),
  signsUntil: null,
  publishedUntil: null,
  revokedAt,
  privateJwe: revokedAt ? null : 'sealed',
})

/** A table of signing keys without a database. */
export const stubSigningKeys = (all: () => Promise<StoredKey[]>): SigningKeys =>
  ({ all, privateKey: async () => createPrivateKey(pem) }) as unknown as SigningKeys
