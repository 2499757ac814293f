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

interface Posted {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | undefined
}

type Post = (
  path: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Posted>

function postTo({ url, authority }: Entrance): Post {
  if (authority === undefined) {
    const client = new HttpClient(url)
    return async (path, form, signal) => {
      const { status, headers, text } = await client.post(path, form, undefined, signal)
      return { status, text, retryAfter: headers.get('retry-after') ?? undefined }
    }
  }
  const client = new ProxyClient(url, authority)
  return async (path, form, signal) => {
    const { status, headers, text } = await client.ask(path, { form, signal })
    return { status, text, retryAfter: headers['retry-after']?.toString() }
  }
}

/** The cost of a fault: a row of the table in docs/operations.md. */
export interface Cost {
  readonly lost: number
  readonly families: number
  /** The answers to clients, as a person reads them. */
  readonly answers: string
}

const giveUp = (): AbortSignal => AbortSignal.timeout(maxLingerMilliseconds)

/**
 * Apps that refresh again and again, as real ones do: they think for about two seconds, repeat with the same
 * token when no answer comes or when they are told to come back later, and are lost once they are told
 * `invalid_grant` for the token that they were given last. Each introspects the access tokens that it gets.
 */
export class Families {
  readonly all: readonly Family[]
  #posts: readonly Post[] = []
  #refusedTokens = 0
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
    const total = [...this.#statuses.values()].reduce((sum, count) => sum + count, 0)
    const failed = [...this.#statuses].filter(([status]) => status !== '200')
    if (failed.length === 0) return `all ${total} good`
    return `${failed.map(([status, count]) => `${count} × ${status}`).join(', ')} of ${total}`
  }

  useOnly(entrances: readonly Entrance[]): void {
    this.#posts = entrances.map(postTo)
  }

  /** Access tokens that introspection has called inactive, although they were just issued. */
  get refusedTokens(): number {
    return this.#refusedTokens
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
    const post = this.#posts[turn % this.#posts.length] as Post
    const form = { grant_type: 'refresh_token', refresh_token: family.refreshToken }
    const answer = await post('/oauth/token', form, giveUp()).catch(() => undefined)
    this.#count(answer ? String(answer.status) : 'no answer')
    if (answer?.status === 200) {
      const issued = JSON.parse(answer.text)
      family.refreshToken = issued.refresh_token
      family.rotations += 1
      await this.#introspect(post, issued.access_token)
      return 1.5 + Math.random()
    }
    if (answer?.status === 400) family.lost = true
    const retryAfter = Number(answer?.retryAfter)
    return retryAfter > 0 ? retryAfter : 0.5 + Math.random()
  }

  /** As a service does that got the access token. An answer that does not come refuses nothing. */
  async #introspect(post: Post, token: string): Promise<void> {
    const answer = await post('/oauth/introspect', { token }, giveUp()).catch(() => undefined)
    if (answer?.status === 200 && JSON.parse(answer.text).active !== true) this.#refusedTokens += 1
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

/**
 * The end of a drill: stops the apps.
 * @param expected sessions that the drill itself has ended, as `endedSessions` says it
 * @throws Error when a session was lost or ended, or a good access token refused
 */
export async function costOf(
  families: Families,
  databaseUrl: string,
  expected = '',
): Promise<Cost> {
  await families.stop()
  const ended = await endedSessions(databaseUrl)
  const { lost, summary, refusedTokens } = families
  if (lost > 0 || ended !== expected || refusedTokens > 0) {
    const refused = `${refusedTokens} good access tokens refused`
    throw new Error(`families lost: ${lost} (${ended}); ${refused}; answers: ${summary}`)
  }
  return { lost, families: families.all.length, answers: summary }
}
