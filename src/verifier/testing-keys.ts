import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'

interface TestKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly privateKey: CryptoKey
}

async function makeKey(): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const { kty, n, e } = await exportJWK(publicKey)
  const jwk = { kty, n, e } as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, publicJwk: { ...jwk, kid, alg: 'RS256', use: 'sig' }, privateKey }
}

/** Keys like those of Signet: the next one is published long before it signs. */
export class TestKeys {
  #retiring: readonly TestKey[] = []
  #active: TestKey
  #upcoming: TestKey

  private constructor(active: TestKey, upcoming: TestKey) {
    this.#active = active
    this.#upcoming = upcoming
  }

  static async make(): Promise<TestKeys> {
    const [active, upcoming] = await Promise.all([makeKey(), makeKey()])
    return new TestKeys(active, upcoming)
  }

  get signer(): TestKey {
    return this.#active
  }

  get jwks(): { readonly keys: readonly JWK[] } {
    const keys = [...this.#retiring, this.#active, this.#upcoming]
    return { keys: keys.map(({ publicJwk }) => publicJwk) }
  }

  /** Lets the upcoming key sign; the previous one stays published. */
  async rotate(): Promise<void> {
    const next = await makeKey()
    this.#retiring = [...this.#retiring, this.#active]
    this.#active = this.#upcoming
    this.#upcoming = next
  }

  /** Unpublishes a key. If it was the signing key, the upcoming one takes over. */
  async remove(kid: string): Promise<void> {
    if (kid === this.#upcoming.kid) this.#upcoming = await makeKey()
    if (kid === this.#active.kid) await this.rotate()
    this.#retiring = this.#retiring.filter((key) => key.kid !== kid)
  }
}
