import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import type { KeyMaterial } from '../../src/keyring/key-material.ts'
import { LiveKeyring } from '../../src/keyring/live-keyring.ts'
import { type KeyEvent, Rotation } from '../../src/keyring/rotation.ts'
import { SigningKeys } from '../../src/keyring/signing-keys.ts'
import { fullRereadSeconds, type Timing } from '../../src/keyring/timing.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { masterKeys } from '../../tools/fixtures.ts'
import { Clock, copyTemplate } from '../support/server/start-server.ts'

export const day = 86_400

export const timing: Timing = {
  rotationSeconds: 30 * day,
  accessTokenMaxSeconds: 3600,
  rereadSeconds: 5,
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicJwk = publicKey.export({ format: 'jwk' })

/** A real key with a random kid: the chain uses ids and times alone, and generating RSA keys is slow. */
export async function fakeKey(): Promise<KeyMaterial> {
  const kid = randomUUID()
  return { kid, publicJwk: { ...publicJwk, kid }, privateKey }
}

/** The keyring services of one instance, on a clock that may be wrong by some seconds. */
export class Instance {
  readonly signingKeys: SigningKeys
  readonly rotation: Rotation
  readonly keyring: LiveKeyring
  readonly events: KeyEvent[] = []
  readonly now: () => Date
  readonly #timing: Timing

  constructor(db: Knex, clock: Clock, options: { timing?: Timing; skewSeconds?: number } = {}) {
    this.now = () => new Date(clock.now().getTime() + 1000 * (options.skewSeconds ?? 0))
    this.#timing = options.timing ?? timing
    this.signingKeys = new SigningKeys(db, masterKeys)
    this.keyring = new LiveKeyring(this.signingKeys, this.now)
    this.rotation = new Rotation({
      signingKeys: this.signingKeys,
      now: this.now,
      timing: this.#timing,
      generate: fakeKey,
      announce: async () => undefined,
      record: async (_trx, event) => void this.events.push(event),
    })
  }

  /** The periodic key maintenance of an instance. */
  async tend(): Promise<void> {
    await this.rotation.ensure()
    const stopped = this.now().getTime() - 1000 * fullRereadSeconds(this.#timing)
    await this.signingKeys.forgetPrivateHalves(new Date(stopped))
    await this.keyring.reread()
  }
}

/** A database without a key, with connections that are open already. */
export async function emptyKeyTable(t: ExecutionContext, connections = 4) {
  const url = await copyTemplate(t)
  const { db, close } = openPostgres({ url, poolSize: connections, timeoutSeconds: 20 })
  t.teardown(close)
  await db('signing_keys').delete()
  await Promise.all(Array.from({ length: connections }, () => db.raw('SELECT pg_sleep(0.02)')))
  // The clock stands still, so decisions and checks have the same time to the millisecond.
  return { db, clock: new Clock(new Date()) }
}
