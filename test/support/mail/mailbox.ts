import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** A mail as it came over the wire. */
export interface Arrived extends Email {
  readonly raw: string
  readonly envelope: { readonly from: string; readonly to: readonly string[] }
  /** The token of the link in it, if there is one. */
  readonly token: string | undefined
  readonly link: string | undefined
}

type Step = 'connect' | 'sender' | 'recipient' | 'taken'

export interface MailboxOptions {
  /** May refuse (by throwing `smtpError`), wait, or do harm, at a step of the conversation. */
  readonly onStep?: (step: Step, address: string) => Promise<void> | void
  readonly port?: number
  readonly smtp?: SMTPServerOptions
}

/** A mail server on loopback that keeps what it is given. */
export interface Mailbox {
  readonly url: string
  readonly port: number
  readonly mails: readonly Arrived[]
  /** The first `count` mails, as soon as there are so many. */
  wait(count: number): Promise<readonly Arrived[]>
  close(): Promise<void>
}

export const smtpError = (responseCode: number, message: string): Error =>
  Object.assign(new Error(message), { responseCode })

export async function startMailbox(
  t: ExecutionContext<unknown>,
  { onStep = () => undefined, port = 0, smtp = {} }: MailboxOptions = {},
): Promise<Mailbox> {
  const mails: Arrived[] = []
  const step = (name: Step, address: string, done: (error?: Error | null) => void) => {
    Promise.resolve()
      .then(() => onStep(name, address))
      .then(() => done(), done)
  }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 200,
    onConnect: (session, done) => step('connect', session.remoteAddress, done),
    onMailFrom: ({ address }, _session, done) => step('sender', address, done),
    onRcptTo: ({ address }, _session, done) => step('recipient', address, done),
    onData(stream, { envelope }, done) {
      const receive = async () => {
        const chunks: Buffer[] = []
        for await (const chunk of stream) chunks.push(chunk)
        const from = envelope.mailFrom ? envelope.mailFrom.address : ''
        const to = envelope.rcptTo.map(({ address }) => address)
        mails.push(await read(Buffer.concat(chunks), { from, to }))
        step('taken', to.join(), done)
      }
      // A sender that dies in the middle has sent nothing.
      receive().catch(done)
    },
    ...smtp,
  })
  // A sender that was killed breaks its connection off.
  server.on('error', () => undefined)
  const listening = server.listen(port, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address() as AddressInfo
  const close = () => new Promise<void>((resolve) => server.close(resolve))
  t.teardown(close)
  return {
    ...{ url: `smtp://127.0.0.1:${address.port}`, port: address.port, mails, close },
    async wait(count) {
      for (let tries = 0; mails.length < count && tries < 1500; tries += 1) await sleep(20)
      if (mails.length < count) throw new Error(`${mails.length} mails came, not ${count}`)
      return mails.slice(0, count)
    },
  }
}

async function read(source: Buffer, envelope: Arrived['envelope']): Promise<Arrived> {
  const email = await PostalMime.parse(source)
  const link = /\S+[#?]token=\S+/.exec(email.text ?? '')?.[0]
  const token = link?.slice(link.indexOf('token=') + 6)
  return { ...email, raw: source.toString('latin1'), envelope, link, token }
}
