import { setTimeout as sleep } from 'node:timers/promises'
import { hash } from 'argon2'
import { eventually } from '../tools/eventually.ts'
import { HttpClient } from '../tools/http-client.ts'
import type { RedisServer } from '../tools/redis-server.ts'
import type { TcpProxy } from '../tools/tcp-proxy.ts'
import { type Answer, summary } from './faults-answers.ts'
import { type Finding, observe } from './faults-finding.ts'
import type { FloodServer } from './flood-server.ts'

const seconds = 10
const password = 'a password of the faults'

/** Redis is behind a wire; what is asked of the server meanwhile is what people and services ask. */
export async function redisFaults(
  server: FloodServer,
  { redis, proxy }: { redis: RedisServer; proxy: TcpProxy },
  metricsUrl: string,
): Promise<Finding[]> {
  const passwordHash = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  const people = await server.addPeople(500, passwordHash)
  const fault = (name: string, begin: () => void) =>
    observe(
      server,
      name,
      async () => {
        begin()
        const meanwhile = await everyday(server.url, people)
        proxy.answersLateMilliseconds = 0
        proxy.weather = 'fine'
        redis.resume()
        return meanwhile
      },
      () => redisIsBack(server.url, metricsUrl, people),
    )
  await redisIsBack(server.url, metricsUrl, people)
  return [
    await fault('Redis is well, for comparison', () => undefined),
    await fault('Redis answers 200 ms late', () => {
      proxy.answersLateMilliseconds = 200
    }),
    await fault('Redis answers 2 s late', () => {
      proxy.answersLateMilliseconds = 2_000
    }),
    await fault('Redis hangs', () => redis.pause()),
    await fault('connections to Redis are lost without a word', () => proxy.lose()),
    await fault('Redis is away', () => {
      proxy.weather = 'refuse'
      proxy.cut()
    }),
  ]
}

/** All at once for some seconds, each caller with one request at a time. */
async function everyday(base: string, people: readonly string[]): Promise<string> {
  const browser = new HttpClient(base)
  const endsAt = performance.now() + seconds * 1000
  const works: Record<string, Answer[]> = { login: [], refresh: [], client: [], introspection: [] }
  let wrong = 0
  const timed = async (work: string, ask: () => ReturnType<HttpClient['get']>) => {
    const startedAt = performance.now()
    const answer = await ask()
    works[work]?.push({ status: answer.status, milliseconds: performance.now() - startedAt })
    return answer
  }
  const isActive = async (token: string, expected: boolean) => {
    const { status, body } = await timed('introspection', () => browser.introspect(token))
    if (status === 200 && body.active !== expected) wrong += 1
  }
  const again = async (job: () => Promise<void>) => {
    while (performance.now() < endsAt) {
      await job()
      await sleep(20)
    }
  }
  /** Signs in, refreshes, logs out: and the token has to be known as revoked at once. */
  const session = async () => {
    const username = people[Math.floor(Math.random() * people.length)] ?? ''
    const signIn = await timed('login', () => browser.signIn({ username, password }))
    if (signIn.status !== 200) return
    const refreshed = await timed('refresh', () => browser.refresh(signIn.body.refresh_token))
    const { access_token: accessToken, refresh_token: refreshToken } = refreshed.body
    await isActive(accessToken, true)
    await browser.revoke(refreshToken)
    await isActive(accessToken, false)
    await isActive(signIn.body.access_token, false)
  }
  const service = async () => {
    const { body } = await timed('client', () => browser.clientCredentials())
    await isActive(body.access_token, true)
  }
  await Promise.all([session, session, session, service, service].map(again))
  const said = Object.entries(works).map(([work, answers]) => `${work}: ${summary(answers)}`)
  return `${said.join('; ')}; wrong answers: ${wrong}`
}

/** It answers revocation checks again, and it counts attempts again, which somebody has to make. */
async function redisIsBack(
  base: string,
  metricsUrl: string,
  [username = '']: readonly string[],
): Promise<string> {
  const startedAt = performance.now()
  await eventually(
    async () => {
      await new HttpClient(base).signIn({ username, password })
      const text = await (await fetch(metricsUrl)).text()
      return /^signet_redis_trusted 1$/m.test(text) && /^signet_throttle_redis_away 0$/m.test(text)
    },
    'Redis is relied on',
    60,
  )
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}
