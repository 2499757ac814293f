import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createTransport, type SendMailOptions } from 'nodemailer'
import type { Log } from '../telemetry/log.ts'
import type { Rendered } from './layout.ts'

interface Message extends Rendered {
  /** The id of its row. A repeated mail has the same one, so that mailboxes recognize it. */
  readonly id: string
  readonly createdAt: Date
  readonly to: string
}

/** Resolves when the next system has accepted the mail, and rejects when it has not. */
type Transport = (message: Message) => Promise<void>

export interface OpenedTransport {
  readonly send: Transport
  /** Aborts the mails that are being sent. */
  close(): void
}

export interface TransportOptions {
  /** Undefined: mails are written to files. */
  readonly smtpUrl: string | undefined
  readonly from: string
  readonly issuer: string
  /** Folder of those files. */
  readonly directory: string
  readonly log: Log
}

/** The longest that one attempt takes, however slow the mail server is. */
export const sendSeconds = 90

const stopping = new Error('the server is stopping')

/** Opens no connection yet: each mail is sent over a connection of its own. */
export function openTransport(options: TransportOptions): OpenedTransport {
  const deliver = options.smtpUrl ? bySmtp(options.smtpUrl) : toFiles(options)
  const sending = new Set<AbortController>()
  let closed = false
  return {
    async send(message) {
      const controller = new AbortController()
      const late = () => controller.abort(new Error(`not finished within ${sendSeconds} seconds`))
      const deadline = setTimeout(late, sendSeconds * 1000)
      sending.add(controller)
      if (closed) controller.abort(stopping)
      try {
        await deliver({ ...compose(message, options), signal: controller.signal }, message)
      } finally {
        clearTimeout(deadline)
        sending.delete(controller)
      }
    },
    close() {
      closed = true
      for (const controller of sending) controller.abort(stopping)
    },
  }
}

/**
 * ASVS 1.3.11: the recipient is an object without a name, which is never parsed as a list. No header
 * except `To` contains text that a stranger chose.
 */
function compose(
  { id, to, subject, text, html }: Message,
  { from, issuer }: TransportOptions,
): SendMailOptions {
  return {
    from,
    subject,
    text,
    html,
    to: { name: '', address: to },
    messageId: `<${id}@${new URL(issuer).hostname}>`,
    // RFC 3834: suppresses out-of-office replies.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

type Deliver = (mail: SendMailOptions, message: Message) => Promise<void>

/** `smtps:` is TLS from the start, `smtp:` uses STARTTLS where offered; `?requireTLS=true` insists. */
function bySmtp(url: string): Deliver {
  const times = { dnsTimeout: 10_000, connectionTimeout: 10_000, greetingTimeout: 15_000 }
  const smtp = createTransport({ url, ...times, socketTimeout: 75_000 })
  return async (mail) => {
    await smtp.sendMail(mail)
  }
}

/** Writes one file per mail, atomically; a repeated mail replaces its file. */
function toFiles({ directory, log }: TransportOptions): Deliver {
  const writer = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
  return async (mail, { id, createdAt, to }) => {
    const { message } = await writer.sendMail(mail)
    await mkdir(dirname(directory), { recursive: true })
    await mkdir(directory, { mode: 0o700 }).catch(unlessThere)
    const path = resolve(directory, `${createdAt.toISOString().replaceAll(':', '-')}-${id}.eml`)
    const unfinished = join(directory, `.${randomUUID()}`)
    try {
      await writeFile(unfinished, message as Buffer, { flag: 'wx', mode: 0o600 })
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { force: true })
      throw error
    }
    log.info({ path, domain: domainOf(to) }, 'SMTP_URL is not set: mail written to a file')
  }
}

const unlessThere = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EEXIST') throw error
}

/** The part of a recipient that may be logged. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)
