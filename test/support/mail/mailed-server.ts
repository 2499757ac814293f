import type { ExecutionContext } from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { type ServerOptions, startServer } from '../server/start-server.ts'
import { type MailboxOptions, startMailbox } from './mailbox.ts'

/** A server whose mails are read, from callers in as many places as a test likes. */
export async function startMailedServer(
  t: ExecutionContext<unknown>,
  options: ServerOptions = {},
  mail: MailboxOptions = {},
) {
  const mailbox = await startMailbox(t, mail)
  const environment = {
    ...{ SMTP_URL: mailbox.url, MAIL_FROM: 'Signet <signet@mail.example>' },
    // Many passwords at once are waited for, however slow the machine is.
    ...{ TRUSTED_PROXIES: 'loopback', PASSWORD_QUEUE_SECONDS: '60' },
    ...options.environment,
  }
  const server = await startServer(t, { ...options, environment })
  const to = (address: string) => mailbox.mails.filter(({ envelope }) => envelope.to[0] === address)
  const links = (address: string) => to(address).flatMap(({ token }) => token ?? [])
  return {
    ...{ server, mailbox, to },
    /** The newest link that an address got, as soon as it has got `count` of them. */
    async link(address: string, count = 1): Promise<string> {
      await eventually(() => links(address).length >= count, `${count} links for ${address}`)
      return links(address)[count - 1] ?? ''
    },
    /** Resolves when no mail is under way. */
    async quiet(): Promise<void> {
      const waiting = () => server.db('outgoing_mail').where({ sent_at: null, given_up_at: null })
      await eventually(async () => (await waiting()).length === 0, 'all mails are settled')
    },
  }
}

let places = 0

/** A caller who has never been here before. */
export function fromElsewhere(): Record<string, string> {
  places += 1
  return { 'x-forwarded-for': `10.${(places >> 8) & 255}.${places & 255}.1` }
}
