import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import type { KeyMaterial } from './key-material.ts'
import {
  aboutToSign,
  planRotation,
  RotationError,
  type RotationPlan,
  tooSoon,
  unknownFor,
} from './rotation-plan.ts'
import { hasTurn, keyState, type SigningKey } from './signing-key.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'
import {
  afterlifeSeconds,
  fullRereadSeconds,
  nextTurn,
  publishedUntil,
  type Timing,
} from './timing.ts'

export interface KeyEvent {
  readonly event: 'key.created' | 'key.imported' | 'key.rotation_planned' | 'key.revoked'
  readonly kid: string
  readonly detail?: Readonly<Record<string, unknown>>
}

interface Dependencies {
  readonly signingKeys: SigningKeys
  readonly now: Now
  readonly timing: Timing
  readonly generate: () => Promise<KeyMaterial>
  /** Records an event in the transaction of the change. */
  readonly record: (trx: Knex.Transaction, event: KeyEvent) => Promise<void>
  /** Notifies the other instances, after the commit, that a key was revoked. */
  readonly announce: () => Promise<void>
}

/** The result of a key's revocation. */
export interface KeyRevocation {
  readonly kid: string
  readonly signer: string
  /** How long verifiers that cache the JWKS may not know the signer, in seconds. */
  readonly signerUnknownFor: number
}

/**
 * Maintains the chain of signing keys: always one that signs and one that is published to follow it.
 * A change only writes timestamps, under the lock of the table. RSA keys are generated before the
 * transaction, and discarded if another instance was first.
 */
export class Rotation {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Creates missing keys: two at the first start, then a successor whenever the last one took over. */
  async ensure(): Promise<boolean> {
    const { signingKeys, timing, now } = this.#deps
    await signingKeys.keepPublished(afterlifeSeconds(timing), now())
    const missing = howManyMissing(chain(await signingKeys.all(), now()))
    if (missing === 0) return false
    const fresh = await this.#generate(missing)
    return this.#change(async ({ trx, keys, at }) => {
      const needed = howManyMissing(chain(keys, at))
      await appendKeys(this.#deps, { trx, keys, at }, 'key.created', fresh.slice(0, needed))
      return needed > 0
    })
  }

  /** Says what `rotate` would do now. */
  async plan(emergency: boolean): Promise<RotationPlan> {
    const { signingKeys, timing } = this.#deps
    const now = this.#deps.now()
    return planRotation(chain(await signingKeys.all(), now), { emergency, now, timing })
  }

  /**
   * Moves to the published successor as soon as every verifier can know it; in an emergency, now.
   * @throws RotationError if an emergency rotation comes too soon and `acceptTooSoon` is not set
   */
  async rotate(options: { emergency: boolean; acceptTooSoon?: boolean }): Promise<RotationPlan> {
    await this.ensure()
    const { emergency, acceptTooSoon } = options
    const fresh = emergency ? await this.#generate(1) : []
    return this.#change(async ({ trx, keys, at }) => {
      const { signingKeys, timing, record } = this.#deps
      const plan = planRotation(chain(keys, at), { emergency, now: at, timing })
      if (plan.tooSoonFor > 0 && !acceptTooSoon) throw tooSoon(plan)
      await signingKeys.startSigning(trx, plan.to, plan.signsFrom)
      await signingKeys.stopSigning(trx, plan.from, plan.signsFrom, plan.leavesAt)
      const { to, ...detail } = plan
      await record(trx, {
        event: 'key.rotation_planned',
        kid: to,
        detail: { ...detail, emergency },
      })
      await appendKeys(this.#deps, { trx, keys, at }, 'key.created', fresh)
      return plan
    })
  }

  /**
   * Removes a leaked key at once. If it signed, its successor signs from now on; if it was the
   * successor, another one is published.
   * @throws RotationError if there is no such key or it is revoked already
   */
  async revoke(kid: string): Promise<KeyRevocation> {
    const { signingKeys, record, announce } = this.#deps
    const fresh = await this.#generate(2)
    const revocation = await this.#change(async ({ trx, keys, at }) => {
      const key = keys.find((candidate) => candidate.kid === kid)
      if (!key) throw new RotationError(`There is no key ${kid}. See: signet keys list --all`)
      if (key.revokedAt) throw new RotationError(`The key ${kid} is revoked already.`)
      const [active, successor] = chain(keys, at)
      await signingKeys.revoke(trx, kid, at)
      if (key === active && successor) await signingKeys.startSigning(trx, successor.kid, at)
      await record(trx, { event: 'key.revoked', kid, detail: { state: keyState(key, at) } })
      const missing = howManyMissing(chain(await signingKeys.all(trx), at))
      await appendKeys(this.#deps, { trx, keys, at }, 'key.created', fresh.slice(0, missing))
      const [signer] = chain(await signingKeys.all(trx), at) as [StoredKey]
      return { kid, signer: signer.kid, signerUnknownFor: unknownFor(signer, at) }
    })
    await announce()
    return revocation
  }

  /**
   * Publishes an imported key as the successor; the current successor, which never signed, is withdrawn.
   * @returns when it signs
   * @throws RotationError if the key exists already, or the current successor is about to sign
   */
  async import(material: KeyMaterial): Promise<Date> {
    await this.ensure()
    return this.#change(async ({ trx, keys, at }) => {
      const { signingKeys, timing } = this.#deps
      const known = keys.find((key) => key.kid === material.kid)
      if (known) {
        const state = keyState(known, at)
        throw new RotationError(`The key ${material.kid} is here already: it is ${state}.`)
      }
      const successor = chain(keys, at)[1]
      if (successor) {
        if (successor.signsFrom <= later(at, fullRereadSeconds(timing)))
          throw aboutToSign(successor, at)
        await signingKeys.withdraw(trx, successor.kid, at)
      }
      const detail = { withdrawn: successor?.kid }
      return appendKeys(this.#deps, { trx, keys, at }, 'key.imported', [material], detail)
    })
  }

  #change<T>(work: (change: ChainChange) => Promise<T>): Promise<T> {
    const { signingKeys, now } = this.#deps
    return signingKeys.change((trx, keys) => work({ trx, keys, at: now() }))
  }

  async #generate(count: number): Promise<KeyMaterial[]> {
    return Promise.all(Array.from({ length: count }, () => this.#deps.generate()))
  }
}

/** A change of the chain in progress: the keys that it is decided on, and when. */
interface ChainChange {
  readonly trx: Knex.Transaction
  readonly keys: readonly StoredKey[]
  readonly at: Date
}

/** The keys that sign, now and later, in their order. */
const chain = (keys: readonly StoredKey[], now: Date): StoredKey[] =>
  keys.filter((key) => hasTurn(key, now) && key.privateJwe !== null)

/** How many keys are missing of the two that there must be: one that signs and one to follow it. */
const howManyMissing = (keys: readonly StoredKey[]): number => Math.max(0, 2 - keys.length)

/**
 * Appends keys to the chain, each taking over from the one before it. Their generations follow those
 * that the change was decided on, so the unique index refuses a decision on fewer keys.
 * @returns when the last of them signs
 */
async function appendKeys(
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
