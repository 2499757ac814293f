import { ada, app } from './fixtures.ts'

/** An answer, with the body read as JSON where it is JSON. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at whatever was answered
  readonly body: any
  readonly text: string
}

export type Form = Record<string, string | readonly string[]>

export interface Credentials {
  readonly id: string
  readonly secret: string
}

/** RFC 6749 §2.3.1: each half form-encoded, then joined. */
export function basic({ id, secret }: Credentials): string {
  const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2)
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`
}

/** Talks to one server over HTTP. The client is `app` unless a test says otherwise. */
export class HttpClient {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(new URL(path, this.#base), { redirect: 'manual', ...init })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const { status, headers } = response
    return { status, headers, text, body: isJson && text !== '' ? JSON.parse(text) : undefined }
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request(path, { headers })
  }

  /** Posts a form; `null` sends no credentials. */
  post(
    path: string,
    form: Form,
    as: Credentials | null = app,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const body = new URLSearchParams()
    for (const [name, value] of Object.entries(form)) {
      for (const one of [value].flat()) body.append(name, one)
    }
    const headers: Record<string, string> = as ? { authorization: basic(as) } : {}
    return this.request(path, { method: 'POST', headers, body, ...(signal && { signal }) })
  }

  token(form: Form, as?: Credentials | null): Promise<Answer> {
    return this.post('/oauth/token', form, as)
  }

  /** The password grant; `ada` with a refresh token unless a test says otherwise. */
  signIn(form: Form = {}, as?: Credentials | null): Promise<Answer> {
    const scope = 'read write offline_access'
    return this.token({ grant_type: 'password', ...ada, scope, ...form }, as)
  }

  refresh(refreshToken: string, form: Form = {}, as?: Credentials | null): Promise<Answer> {
    return this.token({ grant_type: 'refresh_token', refresh_token: refreshToken, ...form }, as)
  }

  clientCredentials(form: Form = {}, as?: Credentials | null): Promise<Answer> {
    return this.token({ grant_type: 'client_credentials', ...form }, as)
  }

  introspect(token: string, as?: Credentials | null): Promise<Answer> {
    return this.post('/oauth/introspect', { token }, as)
  }

  revoke(token: string, as?: Credentials | null): Promise<Answer> {
    return this.post('/oauth/revoke', { token }, as)
  }
}
