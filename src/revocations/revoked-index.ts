import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import type { Now } from '../clock.ts'
import type { RedisClient } from '../stores/redis.ts'
import { SharedCopy } from './redis-copy-lease.ts'
import type { Bookmark, Revocation, RevocationLog } from './revocation-log.ts'
import type { RevocationSubject } from './revocation-lookup.ts'
import { type FoundValues, TickBatcher } from './tick-batcher.ts'

interface Dependencies {
  readonly redis: RedisClient
  readonly log: RevocationLog
  readonly now: Now
  /** Writes to the log what Redis holds and the log lacks, after the history of the log has changed. */
  readonly recover?: (held: AsyncIterable<readonly Revocation[]>) => Promise<unknown>
  /** Told when Redis is trusted and when it is not, with the reason. */
  readonly onTrust?: (trusted: boolean, reason: string) => void
}

/**
 * A key of this instance beside the entries, raised with every write to them. A Redis that lost
 * writes (a flush, a restart from a snapshot, a failover to a replica that lagged) has lost the
 * count too or shows an older one, because it keeps the order of what one connection wrote.
 */
interface Count {
  readonly key: string
  sent: number
}

/** Written at once: a moment of work for the event loop, and for Redis. */
const pageSize = 1000

/** Outlived by far by an instance that runs, which writes every second. */
const countSeconds = 600

/**
 * The copy of the revocation log in Redis, which answers "is this revoked" in one round trip. It only
 * answers while it is known to be whole: filled from the log since the last doubt, and with the count
 * of this instance as it left it. Else: undefined, ask the log.
 */
export class RevokedIndex {
  readonly #deps: Dependencies
  readonly #prefix: string
  readonly #shared: SharedCopy
  /** Of the filling that is trusted or under way. Whatever raises a doubt takes it away. */
  #count: Count | undefined
  #started = false
  #whole = false
  /** The log may lack what Redis holds, until one instance has written that to it. */
  #recovering = false
  #filling: Promise<void> | undefined
  #told: string | undefined
  readonly #turn = new TickBatcher((keys) => this.#find(keys))

  constructor(deps: Dependencies) {
    this.#deps = deps
    // In a cluster a hash tag keeps all entries in the slot of the count, so one round trip asks all.
    this.#prefix = deps.redis.isCluster ? '{revoked}' : 'revoked'
    this.#shared = new SharedCopy({ ...deps, prefix: this.#prefix })
  }

  /**
   * From now on every connection that becomes ready is refilled from the log. Without it entries are
   * copied and nothing is asked: all that a command needs.
   */
  async start(): Promise<void> {
    const { redis } = this.#deps
    this.#started = true
    redis.on('close', () => this.distrust('it cannot be reached'))
    redis.on('error', () => this.distrust('it cannot be reached'))
    redis.on('ready', () => void this.fill())
    await this.fill()
  }

  /** Its connection is about to be closed, which is no news. */
  stop(): void {
    this.#started = false
  }

  get trusted(): boolean {
    return this.#whole
  }

  /** @returns undefined when Redis cannot be relied on now */
  async isRevokedAny(marks: readonly RevocationSubject[]): Promise<boolean | undefined> {
    if (!this.#whole) return undefined
    const found = await this.#turn.find(marks.map(({ kind, value }) => this.#key(kind, value)))
    return found?.some((value) => value !== null)
  }

  /** Whether Redis holds one of these that the log may have forgotten: asked beside the log. */
  async remembersAny(marks: readonly RevocationSubject[]): Promise<boolean> {
    const { redis } = this.#deps
    if (!this.#recovering || redis.status !== 'ready') return false
    try {
      const found = await redis.mget(marks.map(({ kind, value }) => this.#key(kind, value)))
      return found.some((value) => value !== null)
    } catch {
      this.#recovering = false
      return false
    }
  }

  /** The log has another history: Redis may hold what it lacks, and lack what it holds. */
  suspectHistory(): void {
    this.#recovering = true
    this.distrust('the log went back to an earlier state')
  }

  async #find(keys: readonly string[]): Promise<FoundValues> {
    if (!this.#whole || !this.#count) return undefined
    const expected = String(this.#count.sent)
    try {
      const [count, ...found] = await this.#deps.redis.mget(this.#count.key, ...keys)
      if (count === expected) return found
      this.distrust('it lost entries')
    } catch {
      this.distrust('it does not answer in time')
    }
    void this.fill()
    return undefined
  }

  /**
   * Copies entries that are committed, also to a Redis that this instance does not trust now: others
   * may. What is missed by a filling under way makes it start again, for it may have passed the place.
   */
  async copy(revocations: readonly Revocation[]): Promise<void> {
    if (revocations.length === 0 || this.#deps.redis.status !== 'ready') return
    try {
      for (let from = 0; from < revocations.length; from += pageSize) {
        await this.#write(revocations.slice(from, from + pageSize), this.#count)
      }
    } catch {
      this.distrust('it missed an entry')
    }
  }

  /**
   * Finds out about a loss before somebody asks, and tries again after one.
   * @param position up to which everything was copied: others need not copy it again
   */
  async tend(position?: Bookmark): Promise<void> {
    if (!this.#started) return
    if (!this.#whole) return void this.fill()
    try {
      if (await this.#evicts()) return this.distrust(evicting)
      await this.#write([], this.#count)
      const count = this.#count
      if (!count || !position || (await this.#shared.vouch(position, count))) return
      this.distrust('it lost entries')
    } catch {
      this.distrust('it does not answer in time')
    }
  }

  /** Refills Redis from the log, one filling at a time; what is revoked meanwhile is copied as usual. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined
    })
    return this.#filling
  }

  distrust(reason: string): void {
    this.#whole = false
    this.#count = undefined
    this.#tell(reason)
  }

  async #fill(): Promise<void> {
    const { redis, log } = this.#deps
    if (!this.#started) return
    if (redis.status !== 'ready') return this.distrust('it cannot be reached')
    const count = { key: `${this.#prefix}:count:${randomUUID()}`, sent: 0 }
    this.#count = count
    try {
      if (await this.#evicts()) return this.distrust(evicting)
      // Counted before the first entry, so that a flush in the middle of that one shows as well.
      await this.#write([], count)
      const here = await log.bookmark()
      const mark = await this.#shared.mark()
      const follows = mark?.history === here.history && mark.watermark <= here.watermark
      const filled = follows ? await this.#catchUp(mark, count) : await this.#fillAnew(here, count)
      if (this.#count !== count) return
      if (!filled) return this.distrust('another instance fills it')
      this.#whole = true
      this.#recovering = false
      this.#tell(undefined)
    } catch (error) {
      this.distrust(`it could not be filled: ${(error as Error).message}`)
    }
  }

  /** What was committed since the mark; one instance for all when that is much. */
  async #catchUp(mark: Bookmark, count: Count): Promise<boolean> {
    let end: Bookmark | undefined
    for await (const { bookmark, entries } of this.#deps.log.newer(mark, pageSize)) {
      const isMuch = end !== undefined || entries.length === pageSize
      if (isMuch && !(await this.#shared.lease())) return false
      await this.#write(entries, count)
      end ??= bookmark
    }
    if (end) await this.#vouch(end, count)
    return true
  }

  /** Everything, by one instance for all; the others find its mark. */
  async #fillAnew(here: Bookmark, count: Count): Promise<boolean> {
    this.#recovering = true
    if (!(await this.#shared.lease())) return false
    await this.#deps.recover?.(this.#leased(this.#shared.held()))
    for await (const page of this.#leased(this.#deps.log.live(pageSize))) {
      await this.#write(page, count)
    }
    await this.#vouch(here, count)
    return true
  }

  async *#leased<Page>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    for await (const page of pages) {
      await this.#shared.lease()
      yield page
    }
  }

  async #vouch(position: Bookmark, count: Count): Promise<void> {
    if (!(await this.#shared.vouch(position, count))) throw new Error('it lost entries')
    await this.#shared.release()
  }

  async #write(revocations: readonly Revocation[], count: Count | undefined): Promise<void> {
    const pipeline = this.#deps.redis.pipeline()
    for (const { kind, value, expiresAt } of revocations) {
      const milliseconds = expiresAt.getTime() - this.#deps.now().getTime()
      if (milliseconds > 0) pipeline.set(this.#key(kind, value), '1', 'PX', milliseconds)
    }
    // Behind the entries: who has the count has them too.
    const expected = count && ++count.sent
    if (count) pipeline.incr(count.key).expire(count.key, countSeconds)
    const results = (await pipeline.exec()) ?? []
    const failed = results.find(([error]) => error !== null)
    if (failed?.[0]) throw failed[0]
    if (count && results.at(-2)?.[1] !== expected) throw new Error('it lost entries')
  }

  /** A Redis that evicts would forget a revocation and keep the count. */
  async #evicts(): Promise<boolean> {
    const { redis } = this.#deps
    const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis]
    const answers = await Promise.all(nodes.map((node) => node.info('memory')))
    return answers.some((info) => {
      const setting = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
      return setting('maxmemory') !== '0' && setting('maxmemory_policy') !== 'noeviction'
    })
  }

  /** Only what is new, or a Redis that stays away would fill the log. */
  #tell(doubt: string | undefined): void {
    if (!this.#started) return
    const news = doubt ?? 'it holds the whole log'
    if (news === this.#told) return
    this.#told = news
    this.#deps.onTrust?.(doubt === undefined, news)
  }

  #key(kind: string, value: string): string {
    return `${this.#prefix}:${kind}:${value}`
  }
}

const evicting = 'its maxmemory-policy may evict entries: set it to noeviction'
