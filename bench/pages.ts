import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { browserCookie } from '../src/http/cookies.ts'
import { browserCookies } from './browsers.ts'
import type { Setup } from './setup.ts'
import { addWebApp } from './signet.ts'
import { type Spread, spreadOf } from './statistics.ts'
import { number, table } from './table.ts'

/** The sizes of pages and their stylesheet, and how long a person waits for the first one. */
export interface Pages {
  readonly sizes: readonly PageSize[]
  /** Milliseconds until the head of the sign-in page has come; one request at a time. */
  readonly firstByte: Spread
}

interface PageSize {
  readonly name: string
  readonly bytes: number
  readonly goal: string
}

const redirectUri = 'https://pages.bench.example/callback'
/** Until V8 has compiled what a page needs. */
const warmUps = 300
const samples = 300

export async function measurePages({ builds }: Setup): Promise<Pages> {
  const [build] = builds
  if (!build) throw new Error('there is no build to open pages of')
  const { installation, server } = build
  const { clientId } = await addWebApp(installation, redirectUri, 'pages')
  const [session = ''] = await browserCookies(installation, 1)
  const browser = new Browser(server.url, `${browserCookie}=${session}`)
  const authorize = (further: Readonly<Record<string, string>>) =>
    `/oauth/authorize?${new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid read',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      ...further,
    })}`
  try {
    const signIn = await browser.locationOf(authorize({}))
    const sizes = await Promise.all([
      browser.sizeOf('sign-in', signIn),
      browser.sizeOf('register', signIn.replace('/sign-in', '/register')),
      browser.sizeOf('forgot password', signIn.replace('/sign-in', '/forgot-password')),
      browser.sizeOf('consent', authorize({ prompt: 'consent' }), true),
      browser.sizeOf('choose account', authorize({ prompt: 'select_account' }), true),
      browser.sizeOf('sign out?', '/oauth/sign-out', true),
      browser.sizeOf('account', '/account', true),
      browser.sizeOf('sessions and devices', '/account/sessions', true),
      browser.sizeOf('stylesheet', '/assets/pages.css'),
      browser.sizeOf('stylesheet of the account', '/assets/account.css'),
    ])
    for (let turn = 0; turn < warmUps; turn += 1) await browser.open(signIn)
    const times: number[] = []
    for (let turn = 0; turn < samples; turn += 1) {
      times.push((await browser.open(signIn)).milliseconds)
    }
    return { sizes, firstByte: spreadOf(times) }
  } finally {
    browser.close()
  }
}

interface Opened {
  readonly status: number
  readonly location: string
  readonly bytes: number
  /** Until the head of the answer had come. */
  readonly milliseconds: number
}

/** One connection, which stays open. */
class Browser {
  readonly #url: string
  readonly #cookie: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(url: string, cookie: string) {
    this.#url = url
    this.#cookie = cookie
  }

  open(path: string, isSignedIn = false): Promise<Opened> {
    return new Promise((resolve, reject) => {
      const headers = { 'accept-language': 'en', ...(isSignedIn && { cookie: this.#cookie }) }
      const startedAt = performance.now()
      request(new URL(path, this.#url), { agent: this.#agent, headers }, (response) => {
        const milliseconds = performance.now() - startedAt
        const { statusCode: status = 0, headers } = response
        buffer(response).then(
          ({ length: bytes }) =>
            resolve({ status, bytes, milliseconds, location: headers.location ?? '' }),
          reject,
        )
      })
        .on('error', reject)
        .end()
    })
  }

  async locationOf(path: string): Promise<string> {
    const { status, location } = await this.open(path)
    if (!location) throw new Error(`${path} leads nowhere: ${status}`)
    return location
  }

  /** @throws Error if there is no such page: its size would be that of an error */
  async sizeOf(name: string, path: string, isSignedIn = false): Promise<PageSize> {
    let opened = await this.open(path, isSignedIn)
    if (opened.location.startsWith('/')) opened = await this.open(opened.location, isSignedIn)
    const { status, bytes } = opened
    if (status !== 200) throw new Error(`${path} is answered by ${status}`)
    return { name, bytes, goal: name.startsWith('stylesheet') ? '≤ 10 KB' : '≤ 15 KB' }
  }

  close(): void {
    this.#agent.destroy()
  }
}

export function pagesTable({ sizes, firstByte }: Pages): string {
  const { median, lowest, highest } = firstByte
  const [middle, ...ends] = [median, lowest, highest].map((one) => one.toFixed(1))
  return table(
    ['pages', 'measured', 'goal'],
    [
      ['first byte of the sign-in page', `${middle} (${ends.join('–')}) ms`, '≤ 10 ms'],
      ...sizes.map(({ name, bytes, goal }) => [name, `${number(bytes)} bytes`, goal]),
    ],
  )
}
