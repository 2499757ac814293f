import { Agent, type IncomingMessage, request } from 'node:http'
import { Agent as HttpsAgent, request as requestByTls } from 'node:https'

/** What is read of an answer; a `Response` of any `fetch` has it, too. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

export interface AnswerOptions {
  readonly headers: Readonly<Record<string, string>>
  /** What a `fetch` of the service's own has to do; Node's client follows none anyway. */
  readonly redirect: 'error'
  readonly signal: AbortSignal
}

const idleMilliseconds = 4000
/** Node's default, whatever the process was started with. */
const maxHeaderSize = 16 * 1024

/**
 * HTTP connections to the issuer that belong to one verifier. The global `fetch` and the global agent belong to
 * the service, which replaces, traces and counts them. The sockets are unref'd: they never keep
 * the process of the service alive.
 */
export class IssuerConnection {
  readonly #plain = new Agent({ keepAlive: true, timeout: idleMilliseconds })
  readonly #tls = new HttpsAgent({ keepAlive: true, timeout: idleMilliseconds })

  readonly get = async (url: string, { headers, signal }: AnswerOptions): Promise<Answer> => {
    const address = new URL(url)
    const byTls = address.protocol === 'https:'
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = {
        maxHeaderSize,
        signal,
        headers: { ...headers, 'accept-encoding': 'identity' },
      }
      const asked = byTls
        ? requestByTls(address, { ...options, agent: this.#tls })
        : request(address, { ...options, agent: this.#plain })
      // For as long as it lives: an error without a listener would end the process of the service.
      asked.on('error', reject)
      asked.on('close', () => reject(new Error('the connection was closed')))
      asked.on('socket', (socket) => socket.unref())
      asked.on('response', resolve)
      asked.end()
    })
    message.on('error', () => undefined)
    return answerOf(message)
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
    throw new Error(`an answer in the encoding ${JSON.stringify(encoding.slice(0, 40))}`)
  }
  return { status: message.statusCode ?? 0, headers: { get }, body: message }
}
