import { hash, randomInt } from 'node:crypto'

const words = 4
const slotWords = words + 1
const minSlots = 256
const maxLoad = 0.75

/** The feed's name for a revoked token, session, client or key: 16 bytes of SHA-256 of `kind:value`. */
export function markOf(kind: 'jti' | 'sid' | 'client' | 'kid', value: string): Uint32Array {
  // A binary string is four times as fast as a buffer, and every new token needs several digests.
  const bytes = hash('sha256', `${kind}:${value}`, 'binary')
  const word = (at: number) =>
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  return Uint32Array.of(word(0), word(4), word(8), word(12))
}

export function wordsAt(bytes: Buffer, offset: number): Uint32Array {
  const at = (word: number) => bytes.readUInt32LE(offset + 4 * word)
  return Uint32Array.of(at(0), at(1), at(2), at(3))
}

/**
 * A set of 128-bit digests with expiry times: open addressing in one typed array, 20 bytes per slot. Strings
 * in a Map would take five times as much memory.
 */
export class DigestSet {
  #slots = new Uint32Array(minSlots * slotWords)
  #size = 0
  #earliest = Number.POSITIVE_INFINITY
  /** Random, so that an attacker who chooses what is revoked cannot cause collisions. */
  readonly #seeds = Uint32Array.from({ length: words }, () => randomInt(2 ** 31) * 2 + 1)

  get size(): number {
    return this.#size
  }

  /** @returns whether it was unknown, or had an earlier expiry */
  add(digest: Uint32Array, expiresAt: number): boolean {
    if ((this.#size + 1) * slotWords > this.#slots.length * maxLoad) this.#rebuild(0)
    const slot = this.#slotOf(digest)
    const before = this.#slots[slot + words] as number
    this.#slots.set(digest, slot)
    this.#slots[slot + words] = Math.max(before, expiresAt)
    if (before === 0) this.#size++
    this.#earliest = Math.min(this.#earliest, expiresAt)
    return expiresAt > before
  }

  has(digest: Uint32Array, nowSeconds: number): boolean {
    return (this.#slots[this.#slotOf(digest) + words] as number) > nowSeconds
  }

  /** Removes expired digests. Free while there are none. */
  forget(nowSeconds: number): void {
    if (this.#earliest <= nowSeconds) this.#rebuild(nowSeconds)
  }

  /** The slot of a digest, or the free slot for it. A free slot has the expiry 0. */
  #slotOf(digest: Uint32Array): number {
    const slots = this.#slots
    const count = slots.length / slotWords
    let mixed = 0
    for (let word = 0; word < words; word++) {
      mixed ^= Math.imul(digest[word] as number, this.#seeds[word] as number)
    }
    let slot = ((mixed >>> 0) % count) * slotWords
    while (slots[slot + words] !== 0 && !this.#isAt(slot, digest)) {
      slot += slotWords
      if (slot === slots.length) slot = 0
    }
    return slot
  }

  #isAt(slot: number, digest: Uint32Array): boolean {
    const slots = this.#slots
    return (
      slots[slot] === digest[0] &&
      slots[slot + 1] === digest[1] &&
      slots[slot + 2] === digest[2] &&
      slots[slot + 3] === digest[3]
    )
  }

  #rebuild(nowSeconds: number): void {
    const before = this.#slots
    let live = 0
    for (let slot = 0; slot < before.length; slot += slotWords) {
      if ((before[slot + words] as number) > nowSeconds) live++
    }
    // Half full, so that it grows again only after half as many additions.
    this.#slots = new Uint32Array(Math.max(minSlots, 2 * live) * slotWords)
    this.#size = 0
    this.#earliest = Number.POSITIVE_INFINITY
    for (let slot = 0; slot < before.length; slot += slotWords) {
      const expiresAt = before[slot + words] as number
      if (expiresAt > nowSeconds) this.add(before.subarray(slot, slot + words), expiresAt)
    }
  }
}
