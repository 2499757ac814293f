import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import { appendKeys, type ChainChange, chain, howManyMissing, type KeyEvent } from './key-chain.ts'
import {
  aboutToSign,
  planRotation,
  RotationError,
  type RotationPlan,
  tooSoon,
  unknownFor,
} from './rotation-plan.ts'
import { type KeyMaterial, keyState } from './signing-key.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'
import { afterlifeSeconds, type Timing, tellingSeconds } from './timing.ts'

interface Dependencies {
  readonly signingKeys: SigningKeys
  readonly now: Now
  readonly timing: Timing
  readonly generate: () => Promise<KeyMaterial>
  /** Writes what happened into the transaction in which it happens. */
  readonly record: (trx: Knex.Transaction, event: KeyEvent) => Promise<void>
  /** Tells the other instances after the commit that a key was revoked. */
  readonly announce: () => Promise<void>
}

/** What a revocation has led to. */
export interface KeyRevocation {
  readonly kid: string
  readonly signer: string
  /** For so many seconds verifiers that cache the JWKS may not know the signer. */
  readonly signerUnknownFor: number
}

/**
 * Keeps the chain of signing keys: always one that signs and one that is published to follow it.
 * Every change only writes timestamps, under the lock of the table; RSA keys are made before the
 * transaction and thrown away when it finds that another instance was first.
 */
export class Rotation {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Makes what is missing: two keys at the first start, then a successor whenever the last one took over. */
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

  /** What `rotate` would do now. */
  async plan(emergency: boolean): Promise<RotationPlan> {
    const { signingKeys, timing } = this.#deps
    const now = this.#deps.now()
    return planRotation(chain(await signingKeys.all(), now), { emergency, now, timing })
  }

  /**
   * Moves to the published successor as soon as every verifier can know it, or in an emergency now.
   * @throws RotationRefused when an emergency rotation comes too soon and `acceptTooSoon` is not set
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
   * Takes a leaked key out at once. If it signed, its successor signs from now on; if it was the
   * successor, another one is published.
   * @throws RotationRefused when there is no such key or it is revoked already
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
   * Publishes a key of one's own as the successor; the successor so far, which never signed, leaves.
   * @returns when it signs
   * @throws RotationRefused when the key is here already, or the successor so far is about to sign
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
        if (successor.signsFrom <= later(at, tellingSeconds(timing)))
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
