import { setTimeout as sleep } from 'node:timers/promises'
import { hash } from 'argon2'
import { eventually } from '../../tools/eventually.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { ProxyClient } from '../support/server/proxy-client.ts'
import { query } from './replicated-postgres.ts'

/** A session as its app knows it. */
export interface Family {
  /** The refresh token that the app was given last. */
  refreshToken: string
  rotations: number
  lost: boolean
}

const password = 'a password of the drills'
/** How long an app waits for an answer before it gives up and asks another instance. */
const maxLingerMilliseconds = 15_000

/** Where apps send their requests: an instance, or a proxy with TLS and the certificate of its authority. */
export interface Entrance {
  readonly url: string
  readonly authority?: string
}

interface Refreshed {
  readonly status: number
  readonly refreshToken: string
  readonly retryAfter: string | undefined
}

type Refresh = (refreshToken: string, signal: AbortSignal) => Promise<Refreshed>

function refreshAt({ url, authority }: Entrance): Refresh {
  if (authority === undefined) {
    const client = new HttpClient(url)
    return async (token, signal) => {
      const form = { grant_type: 'refresh_token', refresh_token: token }
      const { status, headers, body } = await client.post('/oauth/token', form, undefined, signal)
      const retryAfter = headers.get('retry-after') ?? undefined
      return { status, refreshToken: body?.refresh_token, retryAfter }
    }
  }
  const client = new ProxyClient(url, authority)
  return async (token, signal) => {
    const { status, headers, text } = await client.refresh(token, signal)
    const refreshToken = status === 200 ? JSON.parse(text).refresh_token : ''
    return { status, refreshToken, retryAfter: headers['retry-after']?.toString() }
  }
}

/**
 * Apps that refresh again and again, as real ones do: they think for about two seconds, repeat with the same
 * token when no answer comes or when they are told to come back later, and are lost once they are told
 * `invalid_grant` for the token that they were given last.
 */
export class Families {
  readonly all: readonly Family[]
  #refreshes: readonly Refresh[] = []
  readonly #statuses = new Map<string, number>()
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(entrances: readonly Entrance[], all: readonly Family[]) {
    this.useOnly(entrances)
    this.all = all
  }

  get lost(): number {
    return this.all.filter(({ lost }) => lost).length
  }

  /** The answers to the apps, for the report. */
  get summary(): string {
    return [...this.#statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  }

  useOnly(entrances: readonly Entrance[]): void {
    this.#refreshes = entrances.map(refreshAt)
  }

  /** Begins the counts of `summary` again. */
  forgetAnswers(): void {
    this.#statuses.clear()
  }

  start(): void {
    this.#running = Promise.all(this.all.map((family, at) => this.#live(family, at)))
  }

  /** Until every app that is not lost has been answered so often from now on. */
  async refreshed(times: number, seconds = 120): Promise<void> {
    const before = this.all.map(({ rotations }) => rotations)
    const done = ({ lost, rotations }: Family, at: number) =>
      lost || rotations >= (before[at] ?? 0) + times
    await eventually(() => this.all.every(done), `each app has refreshed ${times} times`, seconds)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #live(family: Family, at: number): Promise<void> {
    for (let turn = at; !this.#stopped && !family.lost; turn += 1) {
      const waitSeconds = await this.#refresh(family, turn)
      await sleep(waitSeconds * 1000)
    }
  }

  /** @returns how long the app waits before it asks again, in seconds */
  async #refresh(family: Family, turn: number): Promise<number> {
    const refresh = this.#refreshes[turn % this.#refreshes.length] as Refresh
    const signal = AbortSignal.timeout(maxLingerMilliseconds)
    const answer = await refresh(family.refreshToken, signal).catch(() => undefined)
    this.#count(answer ? String(answer.status) : 'no answer')
    if (answer?.status === 200) {
      family.refreshToken = answer.refreshToken
      family.rotations += 1
      return 1.5 + Math.random()
    }
    if (answer?.status === 400) family.lost = true
    const retryAfter = Number(answer?.retryAfter)
    return retryAfter > 0 ? retryAfter : 0.5 + Math.random()
  }

  #count(status: string): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1)
  }
}

/** Signs in a person for each family. */
export async function signInMany(
  databaseUrl: string,
  instances: readonly { url: string }[],
  count: number,
): Promise<Family[]> {
  const cost = { memoryCost: 8192, timeCost: 1, parallelism: 1 }
  const digest = await hash(password, cost)
  await query(
    databaseUrl,
    `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
     SELECT gen_random_uuid(), 'drill-' || n, '${digest}', now(), '{}', now()
       FROM generate_series(1, ${count}) n`,
  )
  const families: Family[] = []
  const names = Array.from({ length: count }, (_, at) => `drill-${at + 1}`)
  await Promise.all(
    instances.map(async ({ url }) => {
      const browser = new HttpClient(url)
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const { status, body, text } = await browser.signIn({ username: name, password })
        if (status !== 200) throw new Error(`sign-in of ${name}: ${status} ${text}`)
        families.push({ refreshToken: body.refresh_token, rotations: 0, lost: false })
      }
    }),
  )
  return families
}

/** Sessions that the server has ended in this database, with the reasons. */
export async function endedSessions(databaseUrl: string): Promise<string> {
  const rows = await query(
    databaseUrl,
    `SELECT revoked_reason AS reason, count(*) FROM refresh_families
      WHERE revoked_at IS NOT NULL GROUP BY 1`,
  )
  return rows.map(({ reason, count }) => `${count} × ${reason}`).join(', ')
}
