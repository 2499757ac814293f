import type { Knex } from 'knex'
import { hasTurn, type KeyMaterial, type SigningKey } from './signing-key.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'
import { nextTurn, publishedUntil, type Timing } from './timing.ts'

export interface KeyEvent {
  readonly event: 'key.created' | 'key.imported' | 'key.rotation_planned' | 'key.revoked'
  readonly kid: string
  readonly detail?: Readonly<Record<string, unknown>>
}

interface Dependencies {
  readonly signingKeys: SigningKeys
  readonly timing: Timing
  /** Writes what happened into the transaction in which it happens. */
  readonly record: (trx: Knex.Transaction, event: KeyEvent) => Promise<void>
}

/** One change of the chain: what it is decided on, and when. */
export interface ChainChange {
  readonly trx: Knex.Transaction
  readonly keys: readonly StoredKey[]
  readonly at: Date
}

/** The keys that sign, now and later, in their order. */
export const chain = (keys: readonly StoredKey[], now: Date): StoredKey[] =>
  keys.filter((key) => hasTurn(key, now) && key.privateJwe !== null)

/** Of the two that there must be: one that signs and one to follow it. */
export const howManyMissing = (keys: readonly StoredKey[]): number => Math.max(0, 2 - keys.length)

/**
 * Puts keys at the end of the chain, each taking over from the one before it. They are numbered on
 * from what the change was decided on, so that the unique index refuses whoever decided on less.
 * @returns when the last of them signs
 */
export async function appendKeys(
  { signingKeys, timing, record }: Dependencies,
  { trx, keys, at }: ChainChange,
  event: 'key.created' | 'key.imported',
  fresh: readonly KeyMaterial[],
  detail: Readonly<Record<string, unknown>> = {},
): Promise<Date> {
  const stored = await signingKeys.all(trx)
  let generation = keys.at(-1)?.generation ?? 0
  let last: Pick<SigningKey, 'kid' | 'signsFrom'> | undefined = chain(stored, at).at(-1)
  for (const material of fresh) {
    generation += 1
    const signsFrom: Date = last ? nextTurn(last.signsFrom, at, timing) : at
    await signingKeys.insert(trx, material, { generation, publishedAt: at, signsFrom })
    await record(trx, { event, kid: material.kid, detail: { ...detail, signsFrom } })
    if (last) {
      await signingKeys.stopSigning(trx, last.kid, signsFrom, publishedUntil(signsFrom, timing))
    }
    last = { kid: material.kid, signsFrom }
  }
  return last?.signsFrom ?? at
}
