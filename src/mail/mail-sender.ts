import { every } from '../clock.ts'
import { Delivery, type DeliveryDependencies } from './delivery.ts'
import type { Backlog } from './mail-queue.ts'

/*
 * The life of a mail: the use case writes a row in its own transaction, so a mail exists if and only if
 * the change was committed. A sender claims the row, commits, talks to the mail server, and records that
 * the server accepted the mail. The senders of all instances share the work; a claimed row is reserved
 * until its lease ends. A sender that dies before the server's 250 has sent nothing, and the mail goes
 * out after the lease. SMTP has no transaction that spans both sides: when the sender dies (or the
 * connection breaks) between the 250 and the record, the mail is sent twice, with the same Message-ID,
 * by which mailboxes can drop the second copy, and with the same link, so that either copy works.
 */

/** Mails sent at the same time, each on its own connection. */
const concurrency = 4
/** How often retries and mails of other processes are looked for; mails of this process go out at once. */
const pollSeconds = 5

/** Sends due mails, in several lanes that each send one mail after another. */
export class MailSender {
  readonly #deps: DeliveryDependencies
  readonly #delivery: Delivery
  readonly #lanes = new Set<Promise<void>>()
  #running = 0
  #wakes = 0
  #started = false
  #stopped = false
  #backlog: Backlog = { waiting: 0, oldestSeconds: 0 }
  #stopPolling: () => Promise<void> = async () => undefined

  constructor(deps: DeliveryDependencies) {
    this.#deps = deps
    this.#delivery = new Delivery(deps)
  }

  /** Up to `pollSeconds` old. */
  get backlog(): Backlog {
    return this.#backlog
  }

  start(): void {
    const { queue, log } = this.#deps
    this.#started = true
    this.wake()
    this.#stopPolling = every(
      pollSeconds,
      async () => {
        this.wake()
        this.#backlog = await queue.backlog()
      },
      (error) => log.error({ err: error }, 'counting the mails failed'),
    )
  }

  /** Called when a mail may be due. Does nothing in a process that does not serve, such as a command. */
  wake(): void {
    this.#wakes += 1
    if (this.#started) this.#openLane()
  }

  /** Sends the mails that are due now, and resolves when every lane has ended. */
  async run(): Promise<void> {
    this.#wakes += 1
    this.#openLane()
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
  }

  /** Claims no further mail, and aborts those that take longer than `seconds`. */
  async stop(seconds = 5): Promise<void> {
    const { transport } = this.#deps
    this.#stopped = true
    const deadline = setTimeout(() => transport.close(), seconds * 1000)
    await this.#stopPolling()
    await Promise.all(this.#lanes)
    clearTimeout(deadline)
    transport.close()
  }

  #openLane(): void {
    if (this.#running >= concurrency) return
    this.#running += 1
    const lane = this.#lane()
      .catch((error) => this.#deps.log.error({ err: error }, 'sending mail failed'))
      .finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** Ends when no mail is due and `wake` was not called since it looked. */
  async #lane(): Promise<void> {
    try {
      while (!this.#stopped) {
        const wakes = this.#wakes
        // One due mail suggests more: open another lane, which ends if there is none.
        const found = await this.#delivery.next(() => this.#openLane())
        if (!found && wakes === this.#wakes) return
      }
    } finally {
      this.#running -= 1
    }
  }
}
