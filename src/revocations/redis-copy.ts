import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import type { RedisClient } from '../stores/redis.ts'
import type { Bookmark, Revocation, RevocationKind, RevocationLog } from './revocation-log.ts'

interface Dependencies {
  readonly redis: RedisClient
  readonly now: Now
  /** The prefix of all keys of the copy. */
  readonly prefix: string
}

/** For how long an instance that dies while it fills Redis keeps the others from filling it. */
const leaseMilliseconds = 15_000
const scanCount = 1000

/** Sets the mark only if the count is that of the instance: then this very Redis has its entries. */
const markScript = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2]) return 1`

/** The history, and the snapshot as PostgreSQL spells it. */
const spelling = /^([\w-]{8})\.(\d{1,19}):(\d{1,19}):([\d,]*)$/

const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/**
 * The state of the copy in Redis that instances share through Redis: up to which position it is
 * complete, and which instance fills it now (ADR 26). The mark is written behind the entries, so a Redis
 * that falls back to an earlier state falls back to the mark of that state.
 */
export class RedisCopy {
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

  /** @returns false if the count differs: then this is not the Redis that the instance has written to */
  async vouch(position: Bookmark, count: { key: string; sent: number }): Promise<boolean> {
    const { history, watermark, ceiling, running } = position
    const mark = `${history}.${watermark}:${ceiling}:${running.join()}`
    const keys = [count.key, this.#markKey]
    const done = await this.#deps.redis.eval(markScript, 2, ...keys, String(count.sent), mark)
    return done === 1
  }

  /** Takes or renews the right to fill Redis for all instances. */
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

  /** All entries in Redis, a page at a time. */
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
    const ttls = (found.length > 0 && (await pipeline.exec())) || []
    return found.flatMap(({ kind, value }, at) => {
      const milliseconds = Number(ttls[at]?.[1] ?? 0)
      const expiresAt = later(this.#deps.now(), milliseconds / 1000)
      return milliseconds > 0 ? [{ kind, value, expiresAt }] : []
    })
  }
}

interface Recovery {
  readonly db: Knex
  readonly log: RevocationLog
  /** Ends, in the transaction, the sessions and keys of these revocations. */
  readonly end: (trx: Knex.Transaction, revocations: readonly Revocation[]) => Promise<void>
}

/**
 * Writes revocations to the log that it has lost and Redis still holds: those of the seconds that a
 * failover or a restore has lost (ADR 26). Each keeps its expiry. Repeating it changes nothing.
 * @returns how many it wrote
 */
export async function recover(
  { db, log, end }: Recovery,
  held: AsyncIterable<readonly Revocation[]>,
): Promise<number> {
  let sum = 0
  for await (const page of held) {
    const lost = await log.lackedOf(page)
    if (lost.length === 0) continue
    await db.transaction(async (trx) => {
      await log.append(trx, lost, { areRecovered: true })
      await end(trx, lost)
    })
    sum += lost.length
  }
  return sum
}
