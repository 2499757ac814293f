import { createHmac, hkdfSync } from 'node:crypto'
import { foldIdentifier } from '../identifier.ts'
import type { Facts, Limit, Trait } from './limits.ts'
import { addressOf, networkOf } from './networks.ts'

/**
 * Names of counters: keyed digests of one length, so that a leaked store reveals neither who signed in
 * nor from where. A digest without a key is not enough, because all IPv4 addresses can be enumerated.
 */
export class CounterKeys {
  readonly #key: Buffer

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'signet throttle keys v1', 32))
  }

  of({ policy, per }: Pick<Limit, 'policy' | 'per'>, facts: Partial<Facts>): string {
    return this.#digest(policy, ...per.map((trait) => factOf(trait, facts)))
  }

  /** By the name that was given, so that unknown accounts are counted in the same way. */
  account(account: string): string {
    return this.#digest('account', foldIdentifier(account))
  }

  device(userId: string, device: Buffer, epoch: number): string {
    return this.#digest('device', userId, device.toString('hex'), String(epoch))
  }

  #digest(...parts: readonly string[]): string {
    const mac = createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest()
    return mac.subarray(0, 16).toString('base64url')
  }
}

function factOf(
  trait: Trait,
  { ip = '', email = '', person = '', client = '', link = '' }: Partial<Facts>,
) {
  if (trait === 'address') return addressOf(ip)
  if (trait === 'network') return networkOf(ip)
  if (trait === 'client') return client
  if (trait === 'link') return link
  return foldIdentifier(trait === 'email' ? email : person)
}
