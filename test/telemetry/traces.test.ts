import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { ada, app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  signOut,
} from '../support/clients/signed-in-apps.ts'
import { type Collector, startCollector } from '../support/http/collector.ts'
import { addPerson } from '../support/people/account-api.ts'
import { listing, startRangeService } from '../support/people/breach-ranges.ts'
import { type ServerOptions, startServer } from '../support/server/start-server.ts'
import { refuseConnections, wiredDatabase } from '../support/stores/wired-stores.ts'

async function tracedServer(t: ExecutionContext<unknown>, options: ServerOptions = {}) {
  const collector = await startCollector(t)
  const lines: Record<string, unknown>[] = []
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...options.environment }
  const logTo = (line: string) => lines.push(JSON.parse(line))
  const server = await startServer(t, { unthrottled: true, logTo, ...options, environment })
  const rootOf = (answer: { headers: Headers }) =>
    collector.requestSpan(answer.headers.get('x-request-id'))
  return { server, collector, lines, rootOf }
}

const names = (collector: Collector, traceId: string): string[] =>
  collector.trace(traceId).map(({ name }) => name)

test('a refresh → a span of the request with its statement and its signature, and the ids in the log', async (t) => {
  const { server, collector, lines, rootOf } = await tracedServer(t)
  const { body } = await server.signIn()
  const answer = await server.refresh(body.refresh_token)
  t.is(answer.status, 200)
  const root = await rootOf(answer)
  t.like(root, { name: 'POST /oauth/token', kind: 2, parentSpanId: undefined, status: { code: 0 } })
  t.like(root.attributes, {
    'http.request.method': 'POST',
    'http.route': '/oauth/token',
    'http.response.status_code': 200,
    'signet.grant': 'refresh_token',
  })
  const trace = collector.trace(root.traceId)
  const signature = trace.find(({ name }) => name === 'sign at+jwt')
  t.like(signature, { kind: 1, parentSpanId: root.spanId })
  const [statement] = trace.filter(({ attributes }) => attributes['db.system.name'])
  t.like(statement, { kind: 3, parentSpanId: root.spanId })
  t.is(statement?.attributes['db.system.name'], 'postgresql')
  t.is(statement?.attributes['db.operation.name'], 'UPDATE')
  t.regex(String(statement?.name), /^[a-z_]+$/)
  const line = lines.find(({ requestId }) => requestId === answer.headers.get('x-request-id'))
  t.is(line?.trace_id, root.traceId)
  t.is(line?.span_id, root.spanId)
})

test('a sign-in → spans of Redis, the queue and the check of the password, statements and a signature', async (t) => {
  const { server, collector, rootOf } = await tracedServer(t)
  const answer = await server.signIn()
  const root = await rootOf(answer)
  const trace = collector.trace(root.traceId)
  for (const name of ['password queue', 'password verify', 'sign at+jwt', 'EVALSHA']) {
    t.true(
      trace.some((span) => span.name === name),
      `${name}: ${names(collector, root.traceId)}`,
    )
  }
  t.true(trace.filter(({ attributes }) => attributes['db.system.name'] === 'postgresql').length > 1)
  const ids = new Set(trace.map(({ spanId }) => spanId))
  for (const { parentSpanId, spanId } of trace) {
    t.true(spanId === root.spanId || ids.has(parentSpanId ?? ''))
  }
})

test('a refusal → no failed span; an outage of the database → a failed one with its cause', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const { server, collector, lines, rootOf } = await tracedServer(t, { database: url })
  const refused = await rootOf(await server.signIn({ password: 'wrong' }))
  t.like(refused, { status: { code: 0 } })
  t.is(refused.attributes['signet.error'], 'invalid_grant')
  await refuseConnections(proxy, server)
  const answer = await server.signIn()
  t.is(answer.status, 503)
  const failed = await rootOf(answer)
  t.deepEqual(failed.status, { code: 2 })
  t.is(failed.attributes['error.type'], 'connection_refused')
  t.true(lines.some(({ trace_id, status }) => trace_id === failed.traceId && status === 503))
  t.true(collector.spans().every(({ status }) => status.message === undefined))
})

test('ASVS 16.2.5: nothing that is exported contains a secret, or the name, address or id of a person', async (t) => {
  const { server, collector, rootOf } = await tracedServer(t)
  const { body } = await server.signIn()
  const next = await server.refresh(body.refresh_token)
  await server.signIn({ password: 'a-wrong-password' })
  await server.clientCredentials({}, { id: app.id, secret: 'a-wrong-secret' })
  await server.introspect(next.body.access_token)
  const { id } = await addPerson(server, 'grace')
  await server.get(`/api/v1/users/${id}?email=grace@example.com`)
  await server.get(`/oauth/authorize?client_id=app&state=a-secret-state&login_hint=ada`)
  await server.revoke(next.body.refresh_token)
  await rootOf(await server.get(`/nowhere/${body.access_token}?code=a-secret-code`))
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  const secrets = [ada.password, app.secret, basic(app), 'a-wrong-password', 'a-wrong-secret', id]
  const tokens = [body.access_token, body.refresh_token, next.body.access_token, 'a-secret']
  const people = [ada.username, 'grace', '@example', claims.sub, claims.sid, '127.0.0.1', 'nowhere']
  const bytes = collector.bodies.join('\n').replaceAll(/"key":"[^"]*"/g, '')
  t.true(bytes.length > 5000)
  for (const text of [...secrets, ...tokens, ...people]) t.false(hasWord(bytes, text), text)
})

/** True if the text is there, and not as a part of a longer word. */
const hasWord = (bytes: string, text: string): boolean =>
  new RegExp(`(?<!\\w)${text.replace(/\W/g, '\\$&')}(?!\\w)`).test(bytes)

const caller = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const traceparent = `00-${caller.traceId}-${caller.spanId}-01`
const jwks = '/.well-known/jwks.json'

test('W3C Trace Context of a trusted proxy → its trace goes on, sampled as it says', async (t) => {
  const environment = { TRUSTED_PROXIES: 'loopback', OTEL_TRACES_SAMPLER: 'parentbased_always_off' }
  const { server, rootOf, collector, lines } = await tracedServer(t, { environment })
  for (const path of [jwks, '/health/live']) {
    const unsampled = await server.get(path, { traceparent: traceparent.replace(/1$/, '0') })
    await server.get(path)
    const root = await rootOf(await server.get(path, { traceparent, tracestate: 'vendor=1' }))
    t.like(root, { traceId: caller.traceId, parentSpanId: caller.spanId, name: `GET ${path}` })
    const id = unsampled.headers.get('x-request-id')
    t.false(lines.some((line) => line.requestId === id && 'trace_id' in line))
  }
  t.is(collector.spans().length, 2)
})

test('W3C Trace Context of a stranger → a link, and the sampling of this server', async (t) => {
  const { server, rootOf } = await tracedServer(t)
  const root = await rootOf(await server.get(jwks, { traceparent, tracestate: 'vendor=1' }))
  t.not(root.traceId, caller.traceId)
  t.is(root.parentSpanId, undefined)
  t.like(root.links?.[0], caller)
  const environment = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }
  const none = await tracedServer(t, { environment })
  for (let count = 0; count < 20; count += 1) await none.server.get(jwks, { traceparent })
  await none.server.stop()
  t.deepEqual(none.collector.bodies, [])
})

test('a malformed, repeated or huge trace context → ignored, and the request is answered', async (t) => {
  const environment = { TRUSTED_PROXIES: 'loopback' }
  const { server, rootOf } = await tracedServer(t, { environment })
  const zero = `00-${'0'.repeat(32)}-${caller.spanId}-01`
  const nonsense = [
    '',
    'x',
    zero,
    traceparent.toUpperCase(),
    `${traceparent}-x`,
    `ff${traceparent.slice(2)}`,
  ]
  for (const value of [...nonsense, `${traceparent}, ${traceparent}`, '0'.repeat(8000)]) {
    const answer = await server.get(jwks, { traceparent: value })
    t.is(answer.status, 200, value)
    t.not((await rootOf(answer)).traceId, caller.traceId, value)
  }
  const state = Array.from({ length: 500 }, (_, n) => `k${n}=v`).join()
  const answer = await server.get(jwks, { traceparent, tracestate: state })
  t.is((await rootOf(answer)).traceId, caller.traceId)
  t.is((await server.get(jwks, { traceparent: 'x'.repeat(100_000) })).status, 431)
  t.is((await server.get(jwks)).status, 200)
})

test('requests at the same time → each trace has its own signature, and no span of another', async (t) => {
  const { server, collector, rootOf } = await tracedServer(t)
  const sessions = await Promise.all(Array.from({ length: 12 }, () => server.signIn()))
  const answers = await Promise.all(sessions.map(({ body }) => server.refresh(body.refresh_token)))
  for (const answer of answers) {
    const root = await rootOf(answer)
    const trace = collector.trace(root.traceId)
    const ids = new Set(trace.map(({ spanId }) => spanId))
    t.is(trace.filter(({ name }) => name === 'sign at+jwt').length, 1)
    t.true(
      trace.every(
        (span) => span === root || ids.has(span.parentSpanId ?? '') || span.spanId === root.spanId,
      ),
    )
  }
  t.is(new Set(collector.spans().map(({ spanId }) => spanId)).size, collector.spans().length)
})

test('a new password is looked up → the service gets the trace context, and its span shows only the host', async (t) => {
  const service = await startRangeService(t, listing({}))
  const environment = { BREACHED_PASSWORDS_URL: service.url, TRUSTED_PROXIES: 'loopback' }
  const { server, collector, rootOf } = await tracedServer(t, { environment })
  const password = 'a long and unusual sentence 7'
  const answer = await server.request('/api/v1/auth/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent, tracestate: 'vendor=1' },
    body: JSON.stringify({ username: 'grace', email: 'grace@example.com', password }),
  })
  const root = await rootOf(answer)
  const span = collector.trace(root.traceId).find(({ name }) => name === 'GET')
  t.is(service.asked[0]?.headers.traceparent, `00-${caller.traceId}-${span?.spanId}-01`)
  t.is(service.asked[0]?.headers.tracestate, 'vendor=1')
  t.like(span, { kind: 3 })
  t.deepEqual(Object.keys(span?.attributes ?? {}).sort(), [
    'http.request.method',
    'http.response.status_code',
    'server.address',
    'server.port',
  ])
  t.false(collector.bodies.join().includes(`/range`))
  await server.services.mailSender.run()
  await server.stop()
  const mail = collector.spans().find(({ name }) => name === 'send mail')
  t.like(mail?.attributes, { 'signet.mail.template': 'verify_email', 'signet.outcome': 'sent' })
  t.is(mail?.parentSpanId, undefined)
})

test('a session ends → its client gets the trace context of the notification, a trace of its own', async (t) => {
  const received: IncomingHttpHeaders[] = []
  const endpoint = createServer((request, response) => {
    received.push(request.headers)
    request.resume()
    response.writeHead(200).end()
  })
  endpoint.listen(0, '127.0.0.1')
  await once(endpoint, 'listening')
  t.teardown(() => endpoint.close())
  const { server, collector } = await tracedServer(t)
  const backchannelLogoutUri = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/logout`
  const web = await addWebApp(server, 'web', { backchannelLogoutUri })
  await addPerson(server, 'grace')
  const browser = await signInBrowser(server, 'grace')
  await enterWebApp(server, web, browser)
  await signOut(server, browser)
  await server.services.logoutSender.run()
  await server.stop()
  const spans = collector.spans()
  const root = spans.find(({ name }) => name === 'send logout notification')
  t.is(root?.parentSpanId, undefined)
  t.is(root?.attributes['signet.outcome'], 'delivered')
  const call = spans.find(({ name, traceId }) => name === 'POST' && traceId === root?.traceId)
  t.is(received[0]?.traceparent, `00-${call?.traceId}-${call?.spanId}-01`)
})

test('a collector that is away or refuses → requests are answered, spans are dropped and counted, one warning', async (t) => {
  const environment = { SHUTDOWN_SECONDS: '0' }
  const { server, collector, lines } = await tracedServer(t, { environment })
  collector.status = 400
  for (let count = 0; count < 30; count += 1) t.is((await server.get(jwks)).status, 200)
  await server.stop()
  const text = await server.services.metrics.registry.metrics()
  const [, dropped = 0] = /^signet_trace_spans_dropped_total (\d+)$/m.exec(text) ?? []
  t.true(Number(dropped) >= 30)
  t.regex(text, /^signet_trace_spans_exported_total 0$/m)
  const warnings = lines.filter(({ msg }) => msg === 'the collector takes no traces')
  t.is(warnings.length, 1)
  const away = await tracedServer(t, {
    environment: { ...environment, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
  })
  t.is((await away.server.signIn()).status, 200)
  await away.server.stop()
  const { registry } = away.server.services.metrics
  await eventually(
    async () => /^signet_trace_spans_dropped_total [1-9]/m.test(await registry.metrics()),
    'its spans are dropped',
  )
})
