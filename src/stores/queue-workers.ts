import { every } from '../clock.ts'

interface Options<Backlog> {
  /** Items that are handled at the same time. */
  readonly lanes: number
  /**
   * Claims and handles the item that has been due longest.
   * @param onClaim to be called as soon as an item is claimed
   * @returns false when no item is due
   */
  readonly next: (onClaim: () => void) => Promise<boolean>
  readonly backlog: () => Promise<Backlog>
  /** Until the first count. */
  readonly noBacklog: Backlog
  /** Aborts the items that are under way. */
  readonly abort: () => void
  readonly onError: (error: unknown, task: 'handling' | 'counting') => void
}

/** How often retries and items of other processes are looked for; those of this process are handled at once. */
const pollSeconds = 5

/** Works off a queue in the database, in several lanes that each handle one item after another. */
export class QueueWorkers<Backlog> {
  readonly #options: Options<Backlog>
  readonly #lanes = new Set<Promise<void>>()
  #running = 0
  #wakes = 0
  #started = false
  #stopped = false
  #backlog: Backlog
  #stopPolling: () => Promise<void> = async () => undefined

  constructor(options: Options<Backlog>) {
    this.#options = options
    this.#backlog = options.noBacklog
  }

  /** Up to `pollSeconds` old. */
  get backlog(): Backlog {
    return this.#backlog
  }

  start(): void {
    const { backlog, onError } = this.#options
    this.#started = true
    this.wake()
    this.#stopPolling = every(
      pollSeconds,
      async () => {
        this.wake()
        this.#backlog = await backlog()
      },
      (error) => onError(error, 'counting'),
    )
  }

  /** Called when an item may be due. Does nothing in a process that does not serve, such as a command. */
  wake(): void {
    this.#wakes += 1
    if (this.#started) this.#openLane()
  }

  /** Handles the items that are due now, and resolves when every lane has ended. */
  async run(): Promise<void> {
    this.#wakes += 1
    this.#openLane()
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
  }

  /** Claims no further item, and aborts those that take longer than `seconds`. */
  async stop(seconds = 5): Promise<void> {
    const { abort } = this.#options
    this.#stopped = true
    const deadline = setTimeout(abort, seconds * 1000)
    await this.#stopPolling()
    await Promise.all(this.#lanes)
    clearTimeout(deadline)
    abort()
  }

  #openLane(): void {
    if (this.#running >= this.#options.lanes) return
    this.#running += 1
    const lane = this.#lane()
      .catch((error) => this.#options.onError(error, 'handling'))
      .finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** Ends when no item is due and `wake` was not called since it looked. */
  async #lane(): Promise<void> {
    try {
      while (!this.#stopped) {
        const wakes = this.#wakes
        // One due item suggests more: open another lane, which ends if there is none.
        const found = await this.#options.next(() => this.#openLane())
        if (!found && wakes === this.#wakes) return
      }
    } finally {
      this.#running -= 1
    }
  }
}
