import { Agent, type IncomingMessage, request } from 'node:http'
import { Agent as HttpsAgent, request as requestByTls } from 'node:https'

/** The used members of a response; those of any `fetch` have them too. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

export interface AnswerOptions {
  readonly headers: Readonly<Record<string, string>>
  /** For a custom `fetch`; Node's client follows no redirects. */
  readonly redirect: 'error'
  readonly signal: AbortSignal
}

const idleMilliseconds = 4000
/** Node's default, even if the process was started with another value. */
const maxHeaderSize = 16 * 1024

/**
 * HTTP connections of one verifier to its issuer. The global `fetch` and the global agent belong to the
 * service, which may replace, trace and count them. The sockets are unref'd, so that they never keep the
 * process alive.
 */
export class IssuerConnection {
  readonly #plain = new Agent({ keepAlive: true, timeout: idleMilliseconds })
  readonly #tls = new HttpsAgent({ keepAlive: true, timeout: idleMilliseconds })

  readonly get = async (url: string, options: AnswerOptions): Promise<Answer> =>
    answerOf(await this.#send(new URL(url), options, true))

  /** @param mayRepeat retry once, if the server closed an idle connection just as it was reused */
  #send(url: URL, options: AnswerOptions, mayRepeat: boolean): Promise<IncomingMessage> {
    const { headers, signal } = options
    return new Promise<IncomingMessage>((resolve, reject) => {
      const settings = {
        maxHeaderSize,
        signal,
        headers: { ...headers, 'accept-encoding': 'identity' },
      }
      const sent =
        url.protocol === 'https:'
          ? requestByTls(url, { ...settings, agent: this.#tls })
          : request(url, { ...settings, agent: this.#plain })
      // Stays registered: an error without a listener would end the process.
      sent.on('error', (error) => {
        if (mayRepeat && sent.reusedSocket && !signal.aborted) {
          resolve(this.#send(url, options, false))
        } else reject(error)
      })
      sent.on('close', () => reject(new Error('the connection was closed')))
      sent.on('socket', (socket) => socket.unref())
      sent.on('response', (message) => {
        message.on('error', () => undefined)
        resolve(message)
      })
      sent.end()
    })
  }

  close(): void {
    this.#plain.destroy()
    this.#tls.destroy()
  }
}

function answerOf(message: IncomingMessage): Answer {
  const get = (name: string) => {
    const value = message.headers[name]
    return value === undefined ? null : String(value)
  }
  const encoding = get('content-encoding') ?? 'identity'
  if (encoding !== 'identity') {
    message.destroy()
    throw new Error(`a response with the encoding ${JSON.stringify(encoding.slice(0, 40))}`)
  }
  return { status: message.statusCode ?? 0, headers: { get }, body: message }
}
