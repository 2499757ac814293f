import type { Knex } from 'knex'
import { type Now, secondsBetween } from '../clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { activeSpan, type Tracer, traced, tracedJob } from '../telemetry/spans.ts'
import { type ClaimedMail, delaySeconds, type MailQueue } from './mail-queue.ts'
import type { MailTemplate } from './outbox.ts'
import { render } from './templates.ts'
import { domainOf, type OpenedTransport } from './transport.ts'

/** The outcome of preparing a claimed mail, in the transaction that claims it. */
export type Preparation =
  | {
      readonly outcome: 'ready'
      readonly template: MailTemplate
      readonly token?: string
      /** For the page that waits. */
      readonly code?: string | undefined
      /** The language of the reader, if that is not the person of the mail. */
      readonly locale?: string | undefined
    }
  /** The mail is no longer needed, for this reason. */
  | { readonly outcome: 'pointless'; readonly reason: string }
  /** Another transaction holds what the mail is about: try again soon. */
  | { readonly outcome: 'busy' }

export interface DeliveryDependencies {
  readonly queue: MailQueue
  readonly transport: OpenedTransport
  /** Checks that the mail is still needed, and creates its link. */
  readonly prepare: (trx: Knex.Transaction, mail: ClaimedMail) => Promise<Preparation>
  readonly appUrl: string
  /** The base of the pages that only this server has. */
  readonly ownUrl: string
  /** The place of the token in links: pages of this server read the query, apps the fragment. */
  readonly tokenIn?: 'query' | 'fragment'
  readonly now: Now
  readonly log: Log
  readonly metrics: Metrics
  readonly tracer?: Tracer | undefined
}

const busySeconds = 5
/** Mails are given up after this long; RFC 5321 §4.5.4.1 asks for days, not hours. */
const mostDays = 3

/** Takes one mail from its claim to the record of its outcome. */
export class Delivery {
  readonly #deps: DeliveryDependencies
  /** Mails that the mail server accepted while PostgreSQL could not record it. */
  readonly #unrecorded = new Set<string>()

  constructor(deps: DeliveryDependencies) {
    this.#deps = deps
  }

  /**
   * Claims and sends the mail that has been due longest.
   * @param onClaim called as soon as a mail is claimed
   * @returns false when no mail is due
   */
  async next(onClaim: () => void): Promise<boolean> {
    await this.#record()
    const claim = await this.#deps.queue.claim(this.#deps.prepare)
    if (!claim) return false
    onClaim()
    const handle = () => this.#handle(claim.mail, claim.prepared)
    await tracedJob(this.#deps.tracer, 'send mail', handle)
    return true
  }

  async #handle(mail: ClaimedMail, prepared: Preparation): Promise<void> {
    const { queue } = this.#deps
    if (prepared.outcome === 'busy') return queue.putOff(mail, busySeconds)
    if (prepared.outcome === 'pointless') {
      await queue.giveUp(mail, prepared.reason)
      return this.#report('dropped', mail, prepared.reason)
    }
    if (!isAddress(mail.recipient)) return this.#giveUp(mail, 'the recipient is not an address')
    // Earlier attempts never recorded an outcome: their senders may have crashed on this mail.
    if (mail.attempts > 1 && this.#ageDays(mail) > mostDays + 1)
      return this.#giveUp(mail, 'too old')
    await this.#send(mail, prepared)
  }

  async #send(
    mail: ClaimedMail,
    { template, token, code, locale }: Extract<Preparation, { outcome: 'ready' }>,
  ): Promise<void> {
    const { transport, appUrl, ownUrl, tokenIn, queue } = this.#deps
    const { id, recipient: to, createdAt, attempts } = mail
    const data = locale === undefined ? mail.data : { ...mail.data, locale }
    try {
      const rendered = render(template, {
        appUrl,
        ownUrl,
        tokenIn,
        at: createdAt,
        data,
        token,
        code,
      })
      const send = () => transport.send({ ...rendered, id, to, createdAt })
      await traced('mail server', send, { kind: 'client' })
    } catch (error) {
      const { reason, permanent } = failureOf(error)
      if (permanent || this.#ageDays(mail) > mostDays) return this.#giveUp(mail, reason)
      await queue.retry(mail, delaySeconds(attempts), reason)
      return this.#report('retried', mail, reason)
    }
    this.#unrecorded.add(id)
    this.#report('sent', mail)
    await this.#record()
  }

  /** Until this succeeds no further mail is claimed, so that no sent mail is sent again. */
  async #record(): Promise<void> {
    const ids = [...this.#unrecorded]
    if (ids.length === 0) return
    await this.#deps.queue.sent(ids)
    for (const id of ids) this.#unrecorded.delete(id)
  }

  async #giveUp(mail: ClaimedMail, reason: string): Promise<void> {
    await this.#deps.queue.giveUp(mail, reason)
    this.#report('given_up', mail, reason)
  }

  #ageDays(mail: ClaimedMail): number {
    return secondsBetween(mail.createdAt, this.#deps.now()) / 86_400
  }

  #report(outcome: keyof typeof logLines, mail: ClaimedMail, reason?: string): void {
    const { id: mailId, template, attempts } = mail
    const { level, message } = logLines[outcome]
    const domain = domainOf(mail.recipient)
    this.#deps.metrics.mails.inc({ template, outcome })
    activeSpan()?.set({ 'signet.mail.template': template, 'signet.outcome': outcome })
    this.#deps.log[level]({ mailId, template, domain, attempts, reason }, message)
  }
}

const logLines = {
  sent: { level: 'info', message: 'mail sent' },
  retried: { level: 'warn', message: 'mail not accepted, will be retried' },
  dropped: { level: 'info', message: 'mail no longer needed' },
  given_up: { level: 'error', message: 'mail given up' },
} as const

/** ASVS 1.3.11: one address, without characters that a mail server could read as an end or a second one. */
const isAddress = (text: string): boolean =>
  text.length <= 254 && /^[^\s\p{C}@,;:<>()[\]\\"]+@[^\s\p{C}@,;:<>()[\]\\"]+$/u.test(text)

/** Fields that nodemailer adds to its errors. */
interface SmtpError extends Error {
  readonly code?: string
  readonly command?: string
  readonly response?: string
  readonly responseCode?: number
  readonly permanent?: boolean
}

/**
 * Why a mail was not accepted, and whether a retry is pointless. A 5xx about the recipient or the
 * message is final (RFC 5321 §4.2.1). One about this server, such as a wrong SMTP password or sender,
 * is for the operator to fix, and no mail is lost meanwhile.
 */
function failureOf(error: unknown): { readonly reason: string; readonly permanent: boolean } {
  if (!(error instanceof Error)) return { reason: 'unknown', permanent: false }
  const { code = error.name, command = '', response, responseCode, message } = error as SmtpError
  if (!responseCode) {
    const permanent = code === 'EENVELOPE' && command === 'API'
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    const text = message.startsWith(code) ? message : `${code}: ${message}`
    return { reason: redacted(text + cause), permanent }
  }
  const isAboutTheMail = command === 'RCPT TO' || command === 'DATA'
  const permanent = isAboutTheMail && (error as SmtpError).permanent === true
  return { reason: redacted(`${command}: ${replyOf(command, response ?? '')}`), permanent }
}

/** Keeps only the codes of replies to the message or the password, because the words may quote them. */
function replyOf(command: string, response: string): string {
  if (!/^(DATA|AUTH)/.test(command)) return response
  return /^\d{3}([ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response)?.[0] ?? ''
}

const redacted = (text: string): string =>
  text
    .replace(/[^\s<>"]+@[^\s<>",;:]+/g, 'somebody@…')
    .replace(/sot_[\w-]*/g, 'sot_…')
    .replace(/[\s\p{C}]+/gu, ' ')
    .slice(0, 300)
