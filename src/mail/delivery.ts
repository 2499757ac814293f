import { type Now, secondsBetween } from '../clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Preparation, prepareLink } from '../tokens/mail-links.ts'
import type { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { failureOf } from './failure.ts'
import { type ClaimedMail, delaySeconds, type MailQueue } from './mail-queue.ts'
import { render } from './templates.ts'
import { domainOf, type OpenedTransport } from './transport.ts'

export interface DeliveryDependencies {
  readonly queue: MailQueue
  readonly transport: OpenedTransport
  readonly oneTimeTokens: OneTimeTokens
  /** Shared by all instances, and not in the database in clear. */
  readonly linkKey: Uint8Array
  readonly appUrl: string
  readonly tokenIn?: 'query' | 'fragment'
  readonly now: Now
  readonly log: Log
  readonly metrics: Metrics
}

const busySeconds = 5
/** Given up after so long; RFC 5321 §4.5.4.1 asks for days, not hours. */
const mostDays = 3

/** The way of one mail, from the claim to the record of how it ended. */
export class Delivery {
  readonly #services: DeliveryDependencies
  /** Taken by the mail server, and PostgreSQL was not there to be told. */
  readonly #unrecorded = new Set<string>()

  constructor(services: DeliveryDependencies) {
    this.#services = services
  }

  /** @returns false when no mail is due */
  async next(claimed: () => void): Promise<boolean> {
    await this.#record()
    const claim = await this.#services.queue.claim((trx, mail) =>
      prepareLink(trx, mail, this.#services),
    )
    if (!claim) return false
    claimed()
    await this.#handle(claim.mail, claim.prepared)
    return true
  }

  async #handle(mail: ClaimedMail, prepared: Preparation): Promise<void> {
    const { queue } = this.#services
    if (prepared.outcome === 'busy') return queue.putOff(mail, busySeconds)
    if (prepared.outcome === 'pointless') {
      await queue.giveUp(mail, prepared.reason)
      return this.#tell('dropped', mail, prepared.reason)
    }
    if (!isAddress(mail.recipient)) return this.#giveUp(mail, 'the recipient is no address')
    // It was begun again and again, and nobody lived to say how it ended.
    if (mail.attempts > 1 && this.#days(mail) > mostDays + 1) return this.#giveUp(mail, 'too old')
    await this.#send(mail, prepared)
  }

  async #send(
    mail: ClaimedMail,
    { template, token }: Extract<Preparation, { outcome: 'ready' }>,
  ): Promise<void> {
    const { transport, appUrl, tokenIn, queue } = this.#services
    const { id, recipient: to, createdAt, data, attempts } = mail
    try {
      const rendered = render(template, { appUrl, tokenIn, at: createdAt, data, token })
      await transport.send({ ...rendered, id, to, createdAt })
    } catch (error) {
      const { reason, permanent } = failureOf(error)
      if (permanent || this.#days(mail) > mostDays) return this.#giveUp(mail, reason)
      await queue.retry(mail, delaySeconds(attempts), reason)
      return this.#tell('retried', mail, reason)
    }
    this.#unrecorded.add(id)
    this.#tell('sent', mail)
    await this.#record()
  }

  /** Until this succeeds no mail is claimed, so that none that was sent is sent again. */
  async #record(): Promise<void> {
    const ids = [...this.#unrecorded]
    if (ids.length === 0) return
    await this.#services.queue.sent(ids)
    for (const id of ids) this.#unrecorded.delete(id)
  }

  async #giveUp(mail: ClaimedMail, reason: string): Promise<void> {
    await this.#services.queue.giveUp(mail, reason)
    this.#tell('given_up', mail, reason)
  }

  #days(mail: ClaimedMail): number {
    return secondsBetween(mail.createdAt, this.#services.now()) / 86_400
  }

  #tell(outcome: keyof typeof sayings, mail: ClaimedMail, reason?: string): void {
    const { id: mailId, template, attempts } = mail
    const { level, message } = sayings[outcome]
    const domain = domainOf(mail.recipient)
    this.#services.metrics.mails.inc({ template, outcome })
    this.#services.log[level]({ mailId, template, domain, attempts, reason }, message)
  }
}

const sayings = {
  sent: { level: 'info', message: 'mail sent' },
  retried: { level: 'warn', message: 'mail not taken, will be tried again' },
  dropped: { level: 'info', message: 'mail not needed any more' },
  given_up: { level: 'error', message: 'mail given up' },
} as const

/** ASVS 1.3.11: one address, with nothing that a mail server could read as an end or as a second. */
const isAddress = (text: string): boolean =>
  text.length <= 254 && /^[^\s\p{C}@,;:<>()[\]\\"]+@[^\s\p{C}@,;:<>()[\]\\"]+$/u.test(text)
