import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import { later, type Now } from '../clock.ts'
import type { RedisClient } from '../stores/redis.ts'
import type { Bookmark, Revocation, RevocationKind } from './revocation-log.ts'

interface Dependencies {
  readonly redis: RedisClient
  readonly now: Now
  /** What the names of all keys here begin with. */
  readonly prefix: string
}

/** The longest that an instance which dies while it fills keeps the others from it. */
const leaseMilliseconds = 15_000
const scanCount = 1000

/** Only behind what it vouches for: who wrote the count has everything in this very Redis. */
const markScript = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2]) return 1`

/** The history, and the snapshot as PostgreSQL spells it. */
const spelling = /^([\w-]{8})\.(\d{1,19}):(\d{1,19}):([\d,]*)$/

const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/**
 * What instances tell each other through Redis about the copy of the log in it: up to which position
 * it is whole, and who fills it now (ADR 26). The mark is written behind the entries, so that a Redis which
 * falls back to an earlier state falls back to an earlier mark as well, which is true of it.
 */
export class SharedCopy {
  readonly #deps: Dependencies
  readonly #id = randomUUID()
  readonly #markKey: string
  readonly #leaseKey: string

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#markKey = `${deps.prefix}:whole`
    this.#leaseKey = `${deps.prefix}:filling`
  }

  /** The position up to which all live entries are in Redis. */
  async mark(): Promise<Bookmark | undefined> {
    const text = await this.#deps.redis.get(this.#markKey)
    const [, history, low, high, running] = spelling.exec(text ?? '') ?? []
    if (!history || !low || !high) return undefined
    const list = running?.split(',').filter(Boolean) ?? []
    return { history, watermark: BigInt(low), ceiling: BigInt(high), running: list }
  }

  /** @returns false when the count is another one: then Redis is not what this instance has written to */
  async vouch(position: Bookmark, count: { key: string; sent: number }): Promise<boolean> {
    const { history, watermark, ceiling, running } = position
    const mark = `${history}.${watermark}:${ceiling}:${running.join()}`
    const keys = [count.key, this.#markKey]
    const done = await this.#deps.redis.eval(markScript, 2, ...keys, String(count.sent), mark)
    return done === 1
  }

  /** Takes or keeps the right to fill Redis for all. */
  async lease(): Promise<boolean> {
    const { redis } = this.#deps
    const taken = await redis.set(this.#leaseKey, this.#id, 'PX', leaseMilliseconds, 'NX')
    if (taken) return true
    if ((await redis.get(this.#leaseKey)) !== this.#id) return false
    return (await redis.pexpire(this.#leaseKey, leaseMilliseconds)) === 1
  }

  async release(): Promise<void> {
    await this.#deps.redis.eval(releaseScript, 1, this.#leaseKey, this.#id)
  }

  /** Everything that Redis holds, a page at a time. */
  async *held(): AsyncGenerator<Revocation[]> {
    const { redis, prefix } = this.#deps
    const before = `${redis.options.keyPrefix ?? ''}${prefix}:`
    const pattern = `${before.replace(/[\\*?[\]]/g, '\\$&')}*`
    for (const node of redis instanceof Cluster ? redis.nodes('master') : [redis]) {
      let cursor = '0'
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount)
        const page = await this.#entries(keys.map((key) => key.slice(before.length)))
        if (page.length > 0) yield page
        cursor = next
      } while (cursor !== '0')
    }
  }

  async #entries(names: readonly string[]): Promise<Revocation[]> {
    const found = names.flatMap((name) => {
      const [, kind, value] = /^(jti|sid|client|kid):(.+)$/s.exec(name) ?? []
      return kind && value ? [{ kind: kind as RevocationKind, value, name }] : []
    })
    const pipeline = this.#deps.redis.pipeline()
    for (const { name } of found) pipeline.pttl(`${this.#deps.prefix}:${name}`)
    const lives = (found.length > 0 && (await pipeline.exec())) || []
    return found.flatMap(({ kind, value }, at) => {
      const milliseconds = Number(lives[at]?.[1] ?? 0)
      const expiresAt = later(this.#deps.now(), milliseconds / 1000)
      return milliseconds > 0 ? [{ kind, value, expiresAt }] : []
    })
  }
}
