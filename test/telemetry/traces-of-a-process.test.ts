import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { app, production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { startCollector } from '../support/http/collector.ts'
import { watchModules } from '../support/server/loaded-modules.ts'
import { emptyFolder, serve, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { ask, startWorkers } from '../support/server/workers.ts'

const jwks = '/.well-known/jwks.json'

async function start(t: ExecutionContext<unknown>, environment: Record<string, string>) {
  const cwd = await emptyFolder(t)
  const modules = await watchModules(cwd)
  const env = { ...production(await copyTemplate(t)), ...modules.env, ...environment }
  const serving = await serve(t, { cwd, env })
  const server = new HttpClient(serving.url)
  const stop = async () => {
    serving.signal('SIGTERM')
    t.is(await serving.exited, 0, serving.stderr())
    return serving.stdout()
  }
  const loaded = async () =>
    (await modules.loaded()).filter((url) => url.includes('/node_modules/@opentelemetry/'))
  return { server, stop, loaded }
}

test('no collector → no module of OpenTelemetry is loaded, and traceparent changes nothing', async (t) => {
  const { server, stop, loaded } = await start(t, {})
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  t.is((await server.signIn()).status, 200)
  t.is((await server.get(jwks, { traceparent })).status, 200)
  t.notRegex(await stop(), /trace_id/)
  t.deepEqual(await loaded(), [])
})

test('OTEL_TRACES_SAMPLER=always_off → the same', async (t) => {
  const { server, stop, loaded } = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_TRACES_SAMPLER: 'always_off',
  })
  t.is((await server.signIn()).status, 200)
  await stop()
  t.deepEqual(await loaded(), [])
})

test('SIGTERM right after a request → its spans arrive, with the headers and the name of the service', async (t) => {
  const collector = await startCollector(t)
  const { server, stop, loaded } = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20a-secret-of-the-collector,x-tenant=7',
    OTEL_SERVICE_NAME: 'sign-in',
  })
  const answer = await server.signIn()
  const log = await stop()
  const spans = collector.spans()
  const id = answer.headers.get('x-request-id')
  const root = spans.find(({ attributes }) => attributes['signet.request_id'] === id)
  t.is(root?.name, 'POST /oauth/token')
  t.true(spans.filter(({ traceId }) => traceId === root?.traceId).length > 4)
  t.is(collector.headers[0]?.authorization, 'Bearer a-secret-of-the-collector')
  t.is(collector.headers[0]?.['x-tenant'], '7')
  t.regex(collector.bodies[0] ?? '', /"service\.name","value":\{"stringValue":"sign-in"\}/)
  t.true((await loaded()).length > 0, 'the hooks see the modules')
  t.true(log.includes(`"trace_id":"${root?.traceId}"`))
  t.false(log.includes('a-secret-of-the-collector'))
  t.false(log.includes(app.secret))
})

test('serve --workers → the spans of each worker arrive until the end, with its number', async (t) => {
  const collector = await startCollector(t)
  const running = await startWorkers(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const workersOf = () =>
    new Set(
      collector.bodies.flatMap((body) => body.match(/"signet\.worker","value":\{[^}]*\}/g) ?? []),
    )
  let requests = 0
  await eventually(async () => {
    requests += 1
    await ask(running.url)
    return workersOf().size === 2
  }, 'both workers have sent spans')
  for (let more = 0; more < 10; more += 1) await ask(running.url)
  running.signal('SIGTERM')
  t.is(await running.exited, 0)
  const answered = collector.spans().filter(({ name }) => name === 'GET /health/live')
  t.is(answered.length, requests + 10)
})

test('a collector that is away → SIGTERM still ends the process in time, and with 0', async (t) => {
  const { server, stop } = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    SHUTDOWN_SECONDS: '1',
  })
  t.is((await server.signIn()).status, 200)
  t.regex(await stop(), /the collector takes no traces/)
})

test('a credential for a collector without TLS → refused in production', async (t) => {
  const cwd = await emptyFolder(t)
  const env = {
    ...production('postgres://127.0.0.1/none'),
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318',
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20x-secret',
  }
  const { code, stderr } = await signet(['serve'], { cwd, env })
  t.is(code, 1)
  t.regex(stderr, /OTEL_EXPORTER_OTLP_ENDPOINT must be https in production/)
  t.false(stderr.includes('x-secret'))
})
