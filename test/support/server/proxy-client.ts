import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { ada, app } from '../../../tools/fixtures.ts'
import { basic } from '../../../tools/http-client.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A client of a proxy with TLS, which trusts the authority of the test and has an address of its own. */
export class ProxyClient {
  /** No other client of the test has it. */
  readonly address = '127.0.0.7'
  readonly #url: string
  readonly #agent: Agent

  constructor(url: string, authority: string) {
    this.#url = url
    const ca = readFileSync(authority, 'utf8')
    this.#agent = new Agent({ ca, keepAlive: true, localAddress: this.address })
  }

  close(): void {
    this.#agent.destroy()
  }

  ask(path: string, { headers = {}, form, signal }: Asked = {}): Promise<Answer> {
    const body = form ? new URLSearchParams(form).toString() : undefined
    const ofForm = {
      authorization: basic(app),
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body?.length),
    }
    const options = {
      agent: this.#agent,
      signal,
      method: form ? 'POST' : 'GET',
      headers: { ...headers, ...(form ? ofForm : {}) },
    }
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#url}${path}`, options, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        const { statusCode: status = 0, headers: received } = answer
        answer.once('end', () => resolve({ status, headers: received, text }))
        answer.once('error', reject)
      })
      sent.once('error', reject)
      sent.end(body)
    })
  }

  /** A session of ada, by its refresh token. */
  async signIn(): Promise<string> {
    const form = { grant_type: 'password', ...ada, scope: 'read offline_access' }
    const { status, text } = await this.ask('/oauth/token', { form })
    if (status !== 200) throw new Error(`the sign-in was answered with ${status}: ${text}`)
    return JSON.parse(text).refresh_token
  }

  refresh(refreshToken: string, signal?: AbortSignal): Promise<Answer> {
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
    return this.ask('/oauth/token', { form, ...(signal && { signal }) })
  }
}
