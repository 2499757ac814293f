import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { app, production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { emptyFolder, serve } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** The samples that Prometheus would read, by name and labels. */
function parse(text: string): Map<string, number> {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => {
      const [, name = '', value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      if (name === '') throw new Error(`no sample: ${line}`)
      return [name, Number(value)]
    }),
  )
}

async function start(t: ExecutionContext<unknown>) {
  const serving = await serve(t, {
    cwd: await emptyFolder(t),
    env: production(await copyTemplate(t)),
  })
  const { metricsUrl } = serving
  const scrape = async () => parse((await new HttpClient(metricsUrl).get('/metrics')).text)
  return { server: new HttpClient(serving.url), port: new HttpClient(metricsUrl), scrape }
}

test('every grant → counted by outcome, with its latency', async (t) => {
  const { server, scrape } = await start(t)
  await server.signIn()
  await server.signIn({ password: 'wrong' })
  await server.clientCredentials()
  await server.clientCredentials({ scope: 'nothing' })
  await server.refresh('made_up')
  await server.token({ grant_type: 'made_up' })
  await server.clientCredentials({}, { id: app.id, secret: 'wrong' })
  const samples = await scrape()
  const requests = (grant: string, outcome: string) =>
    samples.get(`signet_token_requests_total{grant="${grant}",outcome="${outcome}"}`)
  t.is(requests('password', 'ok'), 1)
  t.is(requests('password', 'invalid_grant'), 1)
  t.is(requests('client_credentials', 'ok'), 1)
  t.is(requests('client_credentials', 'invalid_scope'), 1)
  t.is(requests('refresh_token', 'invalid_grant'), 1)
  t.is(samples.get('signet_token_request_seconds_count{grant="password"}'), 2)
  t.true((samples.get('signet_token_request_seconds_sum{grant="password"}') ?? 0) > 0)
  t.is(samples.get('signet_token_request_seconds_bucket{le="+Inf",grant="password"}'), 2)
  const status = (code: number) =>
    samples.get(`signet_http_requests_total{route="/oauth/token",method="POST",status="${code}"}`)
  t.deepEqual([status(200), status(400), status(401)], [2, 4, 1])
  // Values of callers are in no label, because each value would be a separate series.
  t.false([...samples.keys()].some((name) => /made_up/.test(name)))
})

test('refreshes → counted by outcome, including reuse', async (t) => {
  const { server, scrape } = await start(t)
  const { body } = await server.signIn()
  const next = await server.refresh(body.refresh_token)
  await server.refresh(body.refresh_token)
  const third = await server.refresh(next.body.refresh_token)
  t.is(third.status, 200)
  // The successor was used, so the grace of the first token is over.
  t.is((await server.refresh(body.refresh_token)).status, 400)
  const samples = await scrape()
  t.is(samples.get('signet_refreshes_total{outcome="rotated"}'), 2)
  t.is(samples.get('signet_refreshes_total{outcome="reused"}'), 1)
})

test('keys, pool, queue, Redis and process → measured', async (t) => {
  const { server, scrape } = await start(t)
  const { body } = await server.signIn()
  await server.introspect(body.access_token)
  const isTrusted = async () => (await scrape()).get('signet_redis_trusted') === 1
  await eventually(isTrusted, 'Redis is filled')
  const samples = await scrape()
  const value = (name: string) => samples.get(name) ?? Number.NaN
  for (const state of ['active', 'upcoming']) {
    t.true(value(`signet_signing_key_age_seconds{state="${state}"}`) > 0)
  }
  // Which of the two depends on what the background does at this moment.
  const connections = (state: string) => value(`signet_database_connections{state="${state}"}`)
  t.true(connections('idle') >= 0 && connections('used') >= 0)
  t.true(connections('idle') + connections('used') > 0)
  t.is(value('signet_database_waiting'), 0)
  t.is(value('signet_password_checks_running'), 0)
  t.is(value('signet_password_checks_waiting'), 0)
  t.is(value('signet_redis_trusted'), 1)
  t.is(value('signet_introspections_total{active="true"}'), 1)
  t.true(value('process_resident_memory_bytes') > 10_000_000)
  t.true(value('process_cpu_seconds_total') > 0)
  t.true(value('nodejs_eventloop_lag_seconds') >= 0)
})

test('ASVS 13.4.5: the metrics port → serves only metrics, and no other port does', async (t) => {
  const { server, port } = await start(t)
  t.is((await server.get('/metrics')).status, 404)
  const scraped = await port.get('/metrics?format=text')
  t.is(scraped.status, 200)
  t.regex(scraped.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  for (const path of ['/', '/metrics/', '/health/live', '/.well-known/jwks.json']) {
    t.is((await port.get(path)).status, 404, path)
  }
  t.is((await port.request('/metrics', { method: 'POST' })).status, 404)
})

/** Shown by test/cli/workers.test.ts and workers-watch.test.ts: one process has none. */
const ofThePrimary = [
  'signet_workers gauge',
  'signet_workers_replaced gauge',
  'signet_workers_hung gauge',
]

test('docs/metrics.md → lists exactly the existing metrics with their labels', async (t) => {
  const { server, port } = await start(t)
  const { body } = await server.signIn()
  await server.refresh(body.refresh_token)
  await server.introspect(body.access_token)
  const { text } = await port.get('/metrics')
  const real = [...text.matchAll(/^# TYPE (signet_\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  const page = await readFile('docs/metrics.md', 'utf8')
  const named = [...page.matchAll(/^\| `(signet_\w+)` \| (\w+) \|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  t.true(real.length >= 10)
  t.deepEqual(named.toSorted(), [...real, ...ofThePrimary].toSorted())
  const rows = page.split('\n').filter((line) => line.startsWith('| `signet_'))
  for (const [, name = '', labels = ''] of text.matchAll(/^(signet_\w+)\{(.*)\}/gm)) {
    const row = rows.find((line) => name.startsWith(line.split('`')[1] ?? ' '))
    for (const [, label] of labels.matchAll(/(\w+)="/g)) {
      if (label !== 'le') t.true(row?.includes(`\`${label}\``), `${label} of ${name}`)
    }
  }
})
