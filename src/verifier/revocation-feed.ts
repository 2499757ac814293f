import type { KeyObject } from 'node:crypto'
import { download, type Fetcher } from './download.ts'
import { readRevocationList } from './revocation-list.ts'
import type { Added, Request, RevocationSet } from './revocation-set.ts'

interface Dependencies extends Fetcher {
  readonly issuer: string
  readonly lists: RevocationSet
  readonly findKey: (kid: string) => Promise<KeyObject>
  readonly signal: AbortSignal
  readonly maxListBytes: number
  readonly maxStaleSeconds: number
  readonly onProblem: (error: unknown) => void
}

const longestWaitSeconds = 25
/** After news, so that a burst arrives in one delta instead of a hundred. */
const pauseMilliseconds = 200
/** After an early response without news: a cache in between does not wait. */
const idleMilliseconds = 2000
/** The first list may take this many timeouts, however many parts it has. */
const firstWaitTimeouts = 6
const firstRetryMilliseconds = 500
const lastRetryMilliseconds = 15_000

/** Follows the revocation feed with one long poll after the other. */
export class RevocationFeed {
  readonly #deps: Dependencies
  #url: string | undefined
  #failures = 0
  #pauseMilliseconds = 0
  #first: Promise<void> | undefined
  #running: Promise<void> | undefined

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  get following(): boolean {
    return this.#url !== undefined
  }

  /** Starts to follow the feed, or continues at another URL. */
  follow(url: string): void {
    this.#url = url
    if (this.#running) return
    const first = this.#pollOnce()
    this.#running = first.then(() => this.#run())
    const { signal, timeoutSeconds } = this.#deps
    this.#first = Promise.race([
      first,
      pause(firstWaitTimeouts * timeoutSeconds * 1000, signal),
    ]).then(() => {
      this.#first = undefined
    })
  }

  /** Resolves when the first list has arrived or failed; undefined afterwards. */
  get first(): Promise<void> | undefined {
    return this.#first
  }

  /** Resolves when it has stopped, after its signal was aborted. */
  async ended(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#deps
    while (!signal.aborted) {
      await pause(this.#pauseMilliseconds, signal)
      if (!signal.aborted) await this.#pollOnce()
    }
  }

  async #pollOnce(): Promise<void> {
    const { lists } = this.#deps
    let isFull = false
    let isFailed = false
    try {
      const { seq } = lists
      isFull = seq === undefined
      this.#pauseMilliseconds = await this.#poll(seq)
      this.#failures = 0
    } catch (error) {
      if (this.#deps.signal.aborted) return
      isFailed = true
      // Retry the same part once, then start again: the issuer may have other parts now.
      if (this.#failures > 0) lists.leaveParts()
      const longest = Math.min(lastRetryMilliseconds, firstRetryMilliseconds * 2 ** this.#failures)
      this.#failures = Math.min(this.#failures + 1, 10)
      // Jitter, so that a thousand services do not retry at the same time.
      this.#pauseMilliseconds = longest * (0.5 + Math.random() / 2)
      this.#deps.onProblem(error)
    }
    try {
      if (isFailed && isFull) lists.fullFailed()
      lists.checkStale()
    } catch (error) {
      // A custom clock that throws must not end the feed or the process.
      this.#deps.onProblem(error)
    }
  }

  /** @returns the pause after it, in milliseconds */
  async #poll(seq: string | undefined): Promise<number> {
    const { lists, signal } = this.#deps
    const waitSeconds = seq === undefined ? 0 : this.#waitSeconds
    const started = performance.now()
    const first = seq === undefined ? { part: lists.nextPart } : { seq }
    let { news, isComplete } = await this.#read(first, waitSeconds)
    // Each part is verified and added before the next one is requested.
    while (!isComplete && !signal.aborted) {
      const next = await this.#read({ part: lists.nextPart }, 0)
      news += next.news
      isComplete = next.isComplete
    }
    if (news > 0) return pauseMilliseconds
    const early = performance.now() - started < (waitSeconds / 2) * 1000
    return early ? idleMilliseconds * (0.5 + Math.random() / 2) : pauseMilliseconds * Math.random()
  }

  async #read(request: Request, waitSeconds: number): Promise<Added> {
    const { lists, issuer, maxListBytes, findKey } = this.#deps
    const text = await this.#request(request, waitSeconds)
    const nowSeconds = () => lists.nowSeconds()
    const list = await readRevocationList(text, { issuer, maxListBytes, findKey, nowSeconds })
    return lists.add(list, request)
  }

  async #request({ seq, part }: Request, waitSeconds: number): Promise<string> {
    const url = new URL(this.#url as string)
    if (seq !== undefined) {
      url.searchParams.set('since', seq)
      url.searchParams.set('wait', String(waitSeconds))
    }
    // An issuer with parts returns the first one instead of a list that is too long.
    url.searchParams.set('part', String(part?.part ?? 0))
    if (part) url.searchParams.set('of', String(part.of))
    const { signal, maxListBytes: limitBytes } = this.#deps
    const options = { accept: 'application/jwt', limitBytes, waitSeconds, signal }
    return (await download(this.#deps, url.href, options)).body.toString('latin1')
  }

  /** Short enough that a response arrives well before the list is stale. */
  get #waitSeconds(): number {
    return Math.max(1, Math.min(longestWaitSeconds, Math.floor(this.#deps.maxStaleSeconds / 2)))
  }
}

/** Waits, or until the signal is aborted, without keeping the process alive. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds).unref()
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
