import { every } from '../clock.ts'
import { Delivery, type DeliveryDependencies } from './delivery.ts'
import type { Backlog } from './mail-queue.ts'

/*
 * How a mail leaves. The use case writes a row in its own transaction, so there is a mail if and only
 * if the change was committed. A sender claims the row, commits, talks to the mail server, and records
 * that the server took it. Senders of all instances share the work: a claimed row is nobody else's
 * until its lease ends. A sender that dies before the server's 250 has sent nothing, and the mail goes
 * out after the lease. SMTP has no transaction that spans both sides, so one instant is left: when the
 * sender dies (or the connection breaks) between the 250 and the record, the mail is sent again, with
 * the same Message-ID, by which mailboxes can drop the repeat, and with the same link, so that it does
 * not matter which copy is read.
 */

/** Mails at once, a connection each. */
const concurrency = 4
/** Retries and mails of other processes are looked for this often; one's own go out at once. */
const lookSeconds = 5

/** Sends what is due, in several lanes that each take one mail after another. */
export class MailSender {
  readonly #services: DeliveryDependencies
  readonly #delivery: Delivery
  readonly #lanes = new Set<Promise<void>>()
  #running = 0
  #wakes = 0
  #started = false
  #stopped = false
  #backlog: Backlog = { waiting: 0, oldestSeconds: 0 }
  #stopLooking: () => Promise<void> = async () => undefined

  constructor(services: DeliveryDependencies) {
    this.#services = services
    this.#delivery = new Delivery(services)
  }

  /** As it was a few seconds ago. */
  get backlog(): Backlog {
    return this.#backlog
  }

  start(): void {
    const { queue, log } = this.#services
    this.#started = true
    this.wake()
    this.#stopLooking = every(
      lookSeconds,
      async () => {
        this.wake()
        this.#backlog = await queue.backlog()
      },
      (error) => log.error({ err: error }, 'counting the mails failed'),
    )
  }

  /** There may be a mail. Does nothing in a process that does not serve, such as a command. */
  wake(): void {
    this.#wakes += 1
    if (this.#started) this.#openLane()
  }

  /** Sends what is due now, and resolves when nothing is under way any more. */
  async run(): Promise<void> {
    this.#wakes += 1
    this.#openLane()
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
  }

  /** Takes no further mail, and breaks off those that take longer than `seconds`. */
  async stop(seconds = 5): Promise<void> {
    const { transport } = this.#services
    this.#stopped = true
    const deadline = setTimeout(() => transport.close(), seconds * 1000)
    await this.#stopLooking()
    await Promise.all(this.#lanes)
    clearTimeout(deadline)
    transport.close()
  }

  #openLane(): void {
    if (this.#running >= concurrency) return
    this.#running += 1
    const lane = this.#lane()
      .catch((error) => this.#services.log.error({ err: error }, 'sending mail failed'))
      .finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** Ends when nothing is due and nobody has called since it looked. */
  async #lane(): Promise<void> {
    try {
      while (!this.#stopped) {
        const wakes = this.#wakes
        // Where there is one mail there may be more: help comes, and finds that out.
        const found = await this.#delivery.next(() => this.#openLane())
        if (!found && wakes === this.#wakes) return
      }
    } finally {
      this.#running -= 1
    }
  }
}
