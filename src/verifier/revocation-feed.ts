import type { KeyObject } from 'node:crypto'
import { type Door, download } from './download.ts'
import { pause } from './pause.ts'
import { readRevocationList } from './revocation-list.ts'
import type { Added, Question, RevocationSet } from './revocation-set.ts'

interface Dependencies extends Door {
  readonly issuer: string
  readonly lists: RevocationSet
  readonly findKey: (kid: string) => Promise<KeyObject>
  readonly signal: AbortSignal
  readonly maxListBytes: number
  readonly maxStaleSeconds: number
  readonly onProblem: (error: unknown) => void
}

const longestWaitSeconds = 25
/** After news, so that a burst of them is one delta and not a hundred. */
const pauseMilliseconds = 200
/** After an answer that came early and said nothing: somebody in between does not wait. */
const idleMilliseconds = 2000
/** So many timeouts may the first list take, however many parts it has. */
const firstWaitTimeouts = 6
const firstRetryMilliseconds = 500
const lastRetryMilliseconds = 15_000

/** Follows the feed of revocations: one request is always open at it, or about to be. */
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

  /** Begins, or goes on at another address. */
  follow(url: string): void {
    this.#url = url
    if (this.#running) return
    const turn = this.#turn()
    this.#running = turn.then(() => this.#run())
    const { signal, timeoutSeconds } = this.#deps
    this.#first = Promise.race([
      turn,
      pause(firstWaitTimeouts * timeoutSeconds * 1000, signal),
    ]).then(() => {
      this.#first = undefined
    })
  }

  /** Until the first list is there, or did not come: then nobody waits any longer. */
  get first(): Promise<void> | undefined {
    return this.#first
  }

  /** After its signal was aborted. */
  async ended(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#deps
    while (!signal.aborted) {
      await pause(this.#pauseMilliseconds, signal)
      if (!signal.aborted) await this.#turn()
    }
  }

  async #turn(): Promise<void> {
    const { lists } = this.#deps
    let isEverything = false
    let isFailed = false
    try {
      const { seq } = lists
      isEverything = seq === undefined
      this.#pauseMilliseconds = await this.#poll(seq)
      this.#failures = 0
    } catch (error) {
      if (this.#deps.signal.aborted) return
      isFailed = true
      // Once more the same part; then from the first on, because the issuer may have other parts now.
      if (this.#failures > 0) lists.leaveParts()
      const longest = Math.min(lastRetryMilliseconds, firstRetryMilliseconds * 2 ** this.#failures)
      this.#failures = Math.min(this.#failures + 1, 10)
      // Spread out, so that a thousand services do not come back as one.
      this.#pauseMilliseconds = longest * (0.5 + Math.random() / 2)
      this.#deps.onProblem(error)
    }
    try {
      if (isFailed && isEverything) lists.fullFailed()
      lists.checkStale()
    } catch (error) {
      // A clock of the service's own that throws must not end the feed, nor the process.
      this.#deps.onProblem(error)
    }
  }

  /** @returns how long to pause after it */
  async #poll(seq: string | undefined): Promise<number> {
    const { lists, signal } = this.#deps
    const waitSeconds = seq === undefined ? 0 : this.#waitSeconds
    const started = performance.now()
    const first = seq === undefined ? { part: lists.nextPart } : { seq }
    let { news, isComplete } = await this.#read(first, waitSeconds)
    // Part by part: each is verified and taken over before the next one is asked for.
    while (!isComplete && !signal.aborted) {
      const next = await this.#read({ part: lists.nextPart }, 0)
      news += next.news
      isComplete = next.isComplete
    }
    if (news > 0) return pauseMilliseconds
    const early = performance.now() - started < (waitSeconds / 2) * 1000
    return early ? idleMilliseconds * (0.5 + Math.random() / 2) : pauseMilliseconds * Math.random()
  }

  async #read(question: Question, waitSeconds: number): Promise<Added> {
    const { lists, issuer, maxListBytes, findKey } = this.#deps
    const text = await this.#ask(question, waitSeconds)
    const nowSeconds = () => lists.nowSeconds()
    const list = await readRevocationList(text, { issuer, maxListBytes, findKey, nowSeconds })
    return lists.add(list, question)
  }

  async #ask({ seq, part }: Question, waitSeconds: number): Promise<string> {
    const url = new URL(this.#url as string)
    if (seq !== undefined) {
      url.searchParams.set('since', seq)
      url.searchParams.set('wait', String(waitSeconds))
    }
    // Understood by issuers that have parts: the first of them instead of a list that is too long.
    url.searchParams.set('part', String(part?.part ?? 0))
    if (part) url.searchParams.set('of', String(part.of))
    const { signal, maxListBytes: limitBytes } = this.#deps
    const options = { accept: 'application/jwt', limitBytes, waitSeconds, signal }
    return (await download(this.#deps, url.href, options)).body.toString('latin1')
  }

  /** An answer has to come well before the list would be stale. */
  get #waitSeconds(): number {
    return Math.max(1, Math.min(longestWaitSeconds, Math.floor(this.#deps.maxStaleSeconds / 2)))
  }
}
