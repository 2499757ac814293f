import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import type { Knex } from 'knex'
import type { Db } from '../stores/postgres.ts'
import type { KeyMaterial } from './key-material.ts'
import type { MasterKeys } from './master-keys.ts'
import { seal, unseal } from './sealing.ts'
import type { SigningKey } from './signing-key.ts'

interface Row {
  kid: string
  generation: number
  public_jwk: JWK
  private_jwe: string | null
  published_at: Date
  signs_from: Date
  signs_until: Date | null
  published_until: Date | null
  revoked_at: Date | null
}

export interface StoredKey extends SigningKey {
  /** Sealed; null once the key no longer signs. */
  readonly privateJwe: string | null
}

/** The table of signing keys. Private halves enter and leave it sealed. */
export class SigningKeys {
  readonly #db: Knex
  readonly #masterKeys: MasterKeys

  constructor(db: Knex, masterKeys: MasterKeys) {
    this.#db = db
    this.#masterKeys = masterKeys
  }

  async all(db: Db = this.#db): Promise<StoredKey[]> {
    const rows = await db<Row>('signing_keys').orderBy('generation')
    return rows.map(fromRow)
  }

  /** Opens the private half of a key, if it still has one. */
  async privateKey(key: StoredKey): Promise<KeyObject | undefined> {
    if (key.privateJwe === null) return undefined
    const der = await unseal(this.#masterKeys, key.kid, key.privateJwe)
    return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
  }

  /**
   * Makes one change of the chain at a time, over all instances: the lock stops other writers and no
   * reader, so a decision inside is based on the current rows.
   */
  change<T>(work: (trx: Knex.Transaction, keys: StoredKey[]) => Promise<T>): Promise<T> {
    return this.#db.transaction(async (trx) => {
      await trx.raw('LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE')
      return work(trx, await this.all(trx))
    })
  }

  /** The unique generation lets only one of two concurrent successors in, even without the lock. */
  async insert(
    trx: Knex.Transaction,
    { kid, publicJwk, privateKey }: KeyMaterial,
    {
      generation,
      publishedAt,
      signsFrom,
    }: Pick<SigningKey, 'generation' | 'publishedAt' | 'signsFrom'>,
  ): Promise<void> {
    const der = privateKey.export({ format: 'der', type: 'pkcs8' })
    await trx('signing_keys').insert({
      kid,
      generation,
      public_jwk: JSON.stringify(publicJwk),
      private_jwe: await seal(this.#masterKeys, kid, der),
      master_key_id: this.#masterKeys.newest.id,
      published_at: publishedAt,
      signs_from: signsFrom,
    })
  }

  // LEAST below: an instance whose clock is behind may act on a row that another one has just written.

  async startSigning(trx: Knex.Transaction, kid: string, signsFrom: Date): Promise<void> {
    await trx('signing_keys')
      .where({ kid })
      .update({ signs_from: signsFrom, published_at: notAfter(trx, 'published_at', signsFrom) })
  }

  async stopSigning(
    trx: Knex.Transaction,
    kid: string,
    signsUntil: Date,
    publishedUntil: Date,
  ): Promise<void> {
    await trx('signing_keys')
      .where({ kid })
      .update({
        published_at: notAfter(trx, 'published_at', signsUntil),
        signs_from: notAfter(trx, 'signs_from', signsUntil),
        signs_until: signsUntil,
        published_until: publishedUntil,
      })
  }

  /** Takes back a key that never signed: no token names it. */
  async withdraw(trx: Knex.Transaction, kid: string, now: Date): Promise<void> {
    await trx('signing_keys')
      .where({ kid })
      .update({
        published_at: notAfter(trx, 'published_at', now),
        signs_from: now,
        signs_until: now,
        published_until: now,
        private_jwe: null,
      })
  }

  async revoke(trx: Knex.Transaction, kid: string, now: Date): Promise<void> {
    await trx('signing_keys').where({ kid }).update({ revoked_at: now, private_jwe: null })
  }

  /** Keeps keys published for `seconds` after they stop signing: the lifetime of tokens may have grown. */
  async keepPublished(seconds: number, now: Date): Promise<void> {
    await this.#db.raw(
      `UPDATE signing_keys SET published_until = signs_until + make_interval(secs => ?)
        WHERE published_until > ? AND published_until < signs_until + make_interval(secs => ?)`,
      [seconds, now, seconds],
    )
  }

  /** Destroys the private halves of keys that stopped signing before `before`. */
  async forgetPrivateHalves(before: Date): Promise<number> {
    return this.#db('signing_keys')
      .whereNotNull('private_jwe')
      .where('signs_until', '<', before)
      .update({ private_jwe: null })
  }
}

const notAfter = (db: Knex, column: string, limit: Date) =>
  db.raw('LEAST(??, ?::timestamptz)', [column, limit])

const fromRow = (row: Row): StoredKey => ({
  kid: row.kid,
  generation: row.generation,
  publicJwk: row.public_jwk,
  privateJwe: row.private_jwe,
  publishedAt: row.published_at,
  signsFrom: row.signs_from,
  signsUntil: row.signs_until,
  publishedUntil: row.published_until,
  revokedAt: row.revoked_at,
})
