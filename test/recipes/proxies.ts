import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { createAuthority } from '../../tools/certificates.ts'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { administer, databaseUrl, templateName } from '../../tools/template.ts'
import type { Report } from '../support/runner/report.ts'
import type { Closing } from '../support/server/closing.ts'
import { ProxyClient } from '../support/server/proxy-client.ts'
import {
  type FrontProxy,
  openFolder,
  type Scene,
  startHaproxy,
  startNginx,
} from '../support/server/proxy-programs.ts'
import { type Serving, serve } from '../support/server/signet.ts'
import type { Stores } from './installation.ts'

/** deploy/nginx and deploy/haproxy, with TLS and two instances. */
export async function checkProxies(stores: Stores, report: Report, closing: Closing) {
  const start = { nginx: startNginx, haproxy: startHaproxy }
  for (const [name, startProxy] of Object.entries(start)) {
    const folder = await openFolder(join(stores.folder, name))
    const behind = await openBehind({ ...stores, folder }, closing)
    const proxy = await startProxy(behind.scene)
    const client = new ProxyClient(proxy.url, behind.scene.authority.certificate)
    closing.add(() => client.close())
    const subject = { name, proxy, behind, client }
    for (const check of [callers, documents, longPoll, restarts, away]) await check(subject, report)
  }
}

interface Behind {
  readonly scene: Scene
  /** Every line that the instances have logged. */
  lines(): string
  start(at: 0 | 1): Promise<void>
  stop(at: 0 | 1, signal: NodeJS.Signals): Promise<void>
  /** Resolves when this instance has issued a token since its start. */
  isUsed(at: 0 | 1): Promise<void>
}

interface Subject {
  readonly name: string
  readonly proxy: FrontProxy
  readonly behind: Behind
  readonly client: ProxyClient
}

async function openBehind(stores: Stores, closing: Closing): Promise<Behind> {
  const { postgresUrl, redisUrl, folder } = stores
  const database = `signet_test_${randomUUID().replaceAll('-', '')}`
  await administer(postgresUrl, `CREATE DATABASE ${database} TEMPLATE ${templateName}`)
  const port = await freePort()
  const instances = [await freePort(), await freePort()] as const
  const authority = createAuthority(join(folder, 'certificates'))
  const env = {
    ...production(databaseUrl(postgresUrl, database)),
    ISSUER: `https://localhost:${port}`,
    REDIS_URL: redisUrl,
    TRUSTED_PROXIES: '127.0.0.1',
    ARGON2_MEMORY_KIB: '8192',
    ARGON2_TIME_COST: '1',
    // As in deploy/systemd.
    SHUTDOWN_DELAY_SECONDS: '5',
  }
  const running = new Map<0 | 1, Serving>()
  const ended: Serving[] = []
  const start = async (at: 0 | 1) => {
    const one = { ...env, PORT: String(instances[at]) }
    running.set(at, await serve(closing.test, { cwd: folder, env: one }))
  }
  const stop = async (at: 0 | 1, signal: NodeJS.Signals) => {
    const serving = running.get(at)
    if (!serving) return
    running.delete(at)
    ended.push(serving)
    serving.signal(signal)
    await serving.exited
  }
  const lines = () => [...ended, ...running.values()].map(({ stdout }) => stdout()).join('')
  const isUsed = (at: 0 | 1) =>
    eventually(
      () => running.get(at)?.stdout().includes('"path":"/oauth/token"') ?? false,
      `instance ${at} is used`,
    )
  await Promise.all([start(0), start(1)])
  return { scene: { folder, authority, instances, port, closing }, lines, start, stop, isUsed }
}

/** The lines about this path, as objects. */
const linesAbout = ({ behind }: Subject, path: string) =>
  behind
    .lines()
    .split('\n')
    .filter((line) => line.includes(`"path":"${path}"`))
    .map((line) => JSON.parse(line) as { requestId: string; ip: string })

async function callers(subject: Subject, report: Report): Promise<void> {
  const { name, proxy, client } = subject
  await report.check(
    `${name}: the address of a caller is its own, and its id is the proxy's`,
    async () => {
      const headers = { 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'chosen-by-a-stranger' }
      const path = `/nowhere-${name}`
      const { status, headers: received } = await client.ask(`${path}?token=secret`, { headers })
      assert.equal(status, 404)
      await eventually(() => linesAbout(subject, path).length > 0, 'the request is logged')
      const [line] = linesAbout(subject, path)
      assert.equal(line?.ip, client.address)
      assert.equal(line?.requestId, received['x-request-id'])
      assert.notEqual(line?.requestId, 'chosen-by-a-stranger')
      const logged = async () => (await proxy.log()).includes(line?.requestId ?? 'none')
      await eventually(logged, 'the proxy has logged it with the same id')
      assert.doesNotMatch(await proxy.log(), /secret/)
      return undefined
    },
  )
  await report.check(
    `${name}: pages without TLS are redirected, programs refused, and health checks hidden`,
    async () => {
      const plain = await fetch(`${proxy.plainUrl}/oauth/authorize?x=1`, { redirect: 'manual' })
      assert.equal(plain.status, 308)
      assert.match(
        plain.headers.get('location') ?? '',
        /^https:\/\/localhost.*\/oauth\/authorize\?x=1$/,
      )
      for (const path of ['/oauth/token', '/api/v1/auth/login']) {
        const refused = await fetch(proxy.plainUrl + path, { method: 'POST', redirect: 'manual' })
        assert.equal(refused.status, 403, `ASVS 4.1.2: ${path}`)
      }
      assert.equal((await client.ask('/health/ready')).status, 404)
      return undefined
    },
  )
}

async function documents(subject: Subject, report: Report): Promise<void> {
  const { name, client } = subject
  await report.check(
    `${name}: the JWKS comes from the cache, with an id of its own each time`,
    async () => {
      const path = '/.well-known/jwks.json'
      const before = linesAbout(subject, path).length
      const ids = new Set<unknown>()
      for (let n = 0; n < 40; n += 1) {
        const { status, headers, text } = await client.ask(path, {
          headers: { origin: `https://app-${n}.example` },
        })
        assert.equal(status, 200)
        assert.ok(JSON.parse(text).keys.length > 0)
        assert.match(String(headers['cache-control']), /^public, max-age=\d+$/)
        ids.add(headers['x-request-id'])
      }
      assert.equal(ids.size, 40)
      await eventually(() => linesAbout(subject, path).length > before, 'the first is logged')
      const passed = linesAbout(subject, path).length - before
      assert.ok(passed <= 2, `${passed} of 40 requests reached an instance`)
      return `${passed} of 40 requests reached an instance`
    },
  )
  await report.check(`${name}: tokens and errors are never cached`, async () => {
    const form = { grant_type: 'client_credentials' }
    const answers = [
      await client.ask('/oauth/token', { form }),
      await client.ask('/oauth/token', { form }),
    ]
    for (const { status, headers } of answers) {
      assert.equal(status, 200)
      assert.equal(headers['cache-control'], 'no-store')
    }
    assert.notEqual(answers[0]?.text, answers[1]?.text)
    return undefined
  })
}

async function longPoll(subject: Subject, report: Report): Promise<void> {
  const { name, client } = subject
  await report.check(
    `${name}: a verifier that waits for news is answered by a revocation`,
    async () => {
      const token = await client.signIn()
      const list = await client.ask('/.well-known/revocations')
      assert.equal(list.status, 200)
      const seqOf = (jwt: string) =>
        JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()).seq as string
      let isWaiting = true
      const news = client
        .ask(`/.well-known/revocations?since=${seqOf(list.text)}&wait=30`)
        .finally(() => {
          isWaiting = false
        })
      // Other requests overtake it, on the same connections of the proxy.
      const refreshed = await client.refresh(token)
      assert.equal(refreshed.status, 200)
      assert.ok(isWaiting, 'the verifier was answered without news')
      const form = { token: JSON.parse(refreshed.text).refresh_token }
      assert.equal((await client.ask('/oauth/revoke', { form })).status, 200)
      const { status, text } = await news
      assert.equal(status, 200)
      assert.notEqual(seqOf(text), seqOf(list.text))
      return undefined
    },
  )
}

async function restarts({ name, client, behind }: Subject, report: Report): Promise<void> {
  await report.check(
    `${name}: an instance is killed, the other stopped and started: every refresh is answered`,
    async () => {
      const answered = { refreshes: 0, isOver: false }
      const app = async () => {
        let token = await client.signIn()
        while (!answered.isOver) {
          const { status, text } = await client.refresh(token)
          assert.equal(status, 200, text)
          token = JSON.parse(text).refresh_token
          answered.refreshes += 1
        }
      }
      const apps = Promise.all(Array.from({ length: 6 }, app))
      let problem: Error | undefined
      apps.catch((error: Error) => {
        problem = error
      })
      const more = (count: number) => {
        const goal = answered.refreshes + count
        return eventually(() => problem !== undefined || answered.refreshes >= goal, 'refreshes')
      }
      await more(30)
      await behind.stop(0, 'SIGKILL')
      await more(30)
      await behind.start(0)
      // HAProxy uses an instance again after two good checks.
      await behind.isUsed(0)
      await behind.stop(1, 'SIGTERM')
      await more(30)
      await behind.start(1)
      await behind.isUsed(1)
      answered.isOver = true
      await apps
      return `${answered.refreshes} refreshes`
    },
  )
}

async function away({ name, client, behind, proxy }: Subject, report: Report): Promise<void> {
  await report.check(
    `${name}: a placeholder that is left → named, and nothing starts`,
    async () => {
      assert.match(await proxy.refusal(), /REPLACE_INSTANCE_2/)
      return undefined
    },
  )
  await report.check(
    `${name}: no instance runs → 503 in the form of RFC 6749, with Retry-After`,
    async () => {
      await Promise.all([behind.stop(0, 'SIGKILL'), behind.stop(1, 'SIGKILL')])
      const form = { grant_type: 'client_credentials' }
      // A proxy may close a connection silently that it kept open, so that the client asks again.
      const ask = () => client.ask('/oauth/token', { form }).catch(() => undefined)
      await eventually(async () => (await ask()) !== undefined, 'the proxy answers')
      const { status, headers, text } = await client.ask('/oauth/token', { form })
      assert.equal(status, 503)
      assert.equal(JSON.parse(text).error, 'temporarily_unavailable')
      assert.equal(headers['retry-after'], '2')
      assert.equal(headers['cache-control'], 'no-store')
      return undefined
    },
  )
}
