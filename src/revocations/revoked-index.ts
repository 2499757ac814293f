import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import type { Now } from '../clock.ts'
import { BatchQueue } from '../stores/batch-queue.ts'
import type { RedisClient } from '../stores/redis.ts'
import { RedisCopy } from './redis-copy.ts'
import type { Bookmark, Revocation, RevocationLog, RevocationSubject } from './revocation-log.ts'

interface Dependencies {
  readonly redis: RedisClient
  readonly log: RevocationLog
  readonly now: Now
  /** Writes entries to the log that only Redis holds, once the history of the log has changed. */
  readonly recover?: (held: AsyncIterable<readonly Revocation[]>) => Promise<unknown>
  /** Called when Redis becomes trusted and when it no longer is, with the reason. */
  readonly onTrust?: (trusted: boolean, reason: string) => void
}

/**
 * A counter of this instance beside the entries, incremented with every write. A Redis that lost writes
 * (a flush, a restart from a snapshot, a failover to a lagging replica) has lost the counter too or
 * shows an older value, because it keeps the order of writes of one connection.
 */
interface Count {
  readonly key: string
  sent: number
}

/** Entries written at once: a moment of work for the event loop, and for Redis. */
const pageSize = 1000

/** Much longer than the second between two writes of a running instance. */
const countSeconds = 600

/**
 * The copy of the revocation log in Redis, which answers "is this revoked" in one round trip. It
 * answers only while it is known to be complete: filled from the log since the last doubt, and with the
 * counter of this instance unchanged. Otherwise it answers undefined, and the log is asked.
 */
export class RevokedIndex {
  readonly #deps: Dependencies
  readonly #prefix: string
  readonly #redisCopy: RedisCopy
  /** The counter of the fill that is trusted or in progress; a doubt removes it. */
  #count: Count | undefined
  #started = false
  #whole = false
  /** The log may lack entries that Redis holds, until one instance has written them to it. */
  #recovering = false
  #filling: Promise<void> | undefined
  #logged: string | undefined
  /** Redis answers sooner than it pays to wait for a batch in flight. */
  readonly #batches = new BatchQueue<readonly string[], boolean | undefined>({
    start: 'tick',
    run: (questions) => this.#find(questions),
  })

  constructor(deps: Dependencies) {
    this.#deps = deps
    // In a cluster a hash tag keeps all entries in the slot of the count, so one round trip asks all.
    this.#prefix = deps.redis.isCluster ? '{revoked}' : 'revoked'
    this.#redisCopy = new RedisCopy({ ...deps, prefix: this.#prefix })
  }

  /**
   * Fills Redis from the log, now and whenever a connection becomes ready. Without it entries are copied
   * and Redis is never asked: all that a command needs.
   */
  async start(): Promise<void> {
    const { redis } = this.#deps
    this.#started = true
    redis.on('close', () => this.distrust('it cannot be reached'))
    redis.on('error', () => this.distrust('it cannot be reached'))
    redis.on('ready', () => void this.fill())
    await this.fill()
  }

  /** The connection is about to be closed, which is not worth a log line. */
  stop(): void {
    this.#started = false
  }

  get trusted(): boolean {
    return this.#whole
  }

  /** @returns undefined while Redis cannot be relied on */
  async isRevokedAny(subjects: readonly RevocationSubject[]): Promise<boolean | undefined> {
    if (!this.#whole) return undefined
    return this.#batches.add(subjects.map(({ kind, value }) => this.#key(kind, value)))
  }

  /** True if Redis holds one of these that the log may have lost: asked in addition to the log. */
  async remembersAny(subjects: readonly RevocationSubject[]): Promise<boolean> {
    const { redis } = this.#deps
    if (!this.#recovering || redis.status !== 'ready') return false
    try {
      const found = await redis.mget(subjects.map(({ kind, value }) => this.#key(kind, value)))
      return found.some((value) => value !== null)
    } catch {
      this.#recovering = false
      return false
    }
  }

  /** The log was restored: Redis may hold entries that it lacks, and lack entries that it holds. */
  suspectHistory(): void {
    this.#recovering = true
    this.distrust('the log went back to an earlier state')
  }

  /** All questions in one round trip; undefined for each when Redis cannot be relied on. */
  async #find(questions: readonly (readonly string[])[]): Promise<(boolean | undefined)[]> {
    const unknown = questions.map(() => undefined)
    if (!this.#whole || !this.#count) return unknown
    const expected = String(this.#count.sent)
    try {
      const [count, ...found] = await this.#deps.redis.mget(this.#count.key, ...questions.flat())
      if (count === expected) {
        let at = 0
        return questions.map(({ length }) => {
          at += length
          return found.slice(at - length, at).some((value) => value !== null)
        })
      }
      this.distrust('it lost entries')
    } catch {
      this.distrust('it does not answer in time')
    }
    void this.fill()
    return unknown
  }

  /**
   * Copies committed entries, even to a Redis that this instance does not trust now, as others may. If
   * it fails during a fill, the fill starts again, as it may have passed that place.
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
   * Detects a loss before a question does, and fills Redis again after one.
   * @param position up to which everything was copied: other instances need not copy it again
   */
  async tend(position?: Bookmark): Promise<void> {
    if (!this.#started) return
    if (!this.#whole) return void this.fill()
    try {
      if (await this.#evicts()) return this.distrust(evicting)
      await this.#write([], this.#count)
      const count = this.#count
      if (!count || !position || (await this.#redisCopy.vouch(position, count))) return
      this.distrust('it lost entries')
    } catch {
      this.distrust('it does not answer in time')
    }
  }

  /** Fills Redis from the log, one fill at a time; revocations meanwhile are copied as usual. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined
    })
    return this.#filling
  }

  distrust(reason: string): void {
    this.#whole = false
    this.#count = undefined
    this.#notify(reason)
  }

  async #fill(): Promise<void> {
    const { redis, log } = this.#deps
    if (!this.#started) return
    if (redis.status !== 'ready') return this.distrust('it cannot be reached')
    const count = { key: `${this.#prefix}:count:${randomUUID()}`, sent: 0 }
    this.#count = count
    try {
      if (await this.#evicts()) return this.distrust(evicting)
      // Counts before the first entry, so that a flush during that one is noticed as well.
      await this.#write([], count)
      const here = await log.bookmark()
      const mark = await this.#redisCopy.mark()
      const follows = mark?.history === here.history && mark.watermark <= here.watermark
      const filled = follows ? await this.#catchUp(mark, count) : await this.#fillAnew(here, count)
      if (this.#count !== count) return
      if (!filled) return this.distrust('another instance fills it')
      this.#whole = true
      this.#recovering = false
      this.#notify(undefined)
    } catch (error) {
      this.distrust(`it could not be filled: ${(error as Error).message}`)
    }
  }

  /** Copies what was committed since the mark; if that is much, one instance does it for all. */
  async #catchUp(mark: Bookmark, count: Count): Promise<boolean> {
    let end: Bookmark | undefined
    for await (const { bookmark, entries } of this.#deps.log.newer(mark, pageSize)) {
      const isMuch = end !== undefined || entries.length === pageSize
      if (isMuch && !(await this.#redisCopy.lease())) return false
      await this.#write(entries, count)
      end ??= bookmark
    }
    if (end) await this.#vouch(end, count)
    return true
  }

  /** Copies everything: one instance does it for all, and the others find its mark. */
  async #fillAnew(here: Bookmark, count: Count): Promise<boolean> {
    this.#recovering = true
    if (!(await this.#redisCopy.lease())) return false
    await this.#deps.recover?.(this.#leased(this.#redisCopy.held()))
    for await (const page of this.#leased(this.#deps.log.live(pageSize))) {
      await this.#write(page, count)
    }
    await this.#vouch(here, count)
    return true
  }

  async *#leased<Page>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    for await (const page of pages) {
      await this.#redisCopy.lease()
      yield page
    }
  }

  async #vouch(position: Bookmark, count: Count): Promise<void> {
    if (!(await this.#redisCopy.vouch(position, count))) throw new Error('it lost entries')
    await this.#redisCopy.release()
  }

  async #write(revocations: readonly Revocation[], count: Count | undefined): Promise<void> {
    const pipeline = this.#deps.redis.pipeline()
    for (const { kind, value, expiresAt } of revocations) {
      const milliseconds = expiresAt.getTime() - this.#deps.now().getTime()
      if (milliseconds > 0) pipeline.set(this.#key(kind, value), '1', 'PX', milliseconds)
    }
    // Behind the entries: a Redis with this count has them too.
    const expected = count && ++count.sent
    if (count) pipeline.incr(count.key).expire(count.key, countSeconds)
    const results = (await pipeline.exec()) ?? []
    const failed = results.find(([error]) => error !== null)
    if (failed?.[0]) throw failed[0]
    if (count && results.at(-2)?.[1] !== expected) throw new Error('it lost entries')
  }

  /** A Redis that evicts keys could drop a revocation and keep the count. */
  async #evicts(): Promise<boolean> {
    const { redis } = this.#deps
    const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis]
    const answers = await Promise.all(nodes.map((node) => node.info('memory')))
    return answers.some((info) => {
      const setting = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
      return setting('maxmemory') !== '0' && setting('maxmemory_policy') !== 'noeviction'
    })
  }

  /** Logs only changes, or a Redis that stays away would fill the log. */
  #notify(doubt: string | undefined): void {
    if (!this.#started) return
    const message = doubt ?? 'it holds the whole log'
    if (message === this.#logged) return
    this.#logged = message
    this.#deps.onTrust?.(doubt === undefined, message)
  }

  #key(kind: string, value: string): string {
    return `${this.#prefix}:${kind}:${value}`
  }
}

const evicting = 'its maxmemory-policy may evict entries: set it to noeviction'
