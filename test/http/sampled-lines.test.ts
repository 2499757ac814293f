import test, { type ExecutionContext } from 'ava'
import { startServer } from '../support/server/start-server.ts'

const jwks = '/.well-known/jwks.json'

async function loggingServer(t: ExecutionContext<unknown>, LOG_SAMPLE: string) {
  const lines: Record<string, unknown>[] = []
  const logTo = (line: string) => lines.push(JSON.parse(line))
  const server = await startServer(t, { environment: { LOG_SAMPLE }, logTo })
  lines.length = 0
  return { server, lines }
}

test('LOG_SAMPLE=0 → no line of a successful request, and one of each refusal', async (t) => {
  const { server, lines } = await loggingServer(t, '0')
  const { body } = await server.signIn()
  await server.refresh(body.refresh_token)
  await server.get(jwks)
  t.deepEqual(lines, [])
  await server.signIn({ password: 'wrong' })
  await server.refresh('sru_nonsense')
  await server.clientCredentials({}, { id: 'app', secret: 'wrong' })
  await server.get('/nowhere')
  await server.get('/api/v1/users/me')
  t.deepEqual(
    lines.map(({ status, sample }) => [status, sample]),
    [400, 400, 401, 404, 401].map((status) => [status, undefined]),
  )
})

test('LOG_SAMPLE=0.5 → some of the successful requests, each with its rate; all are counted', async (t) => {
  const { server, lines } = await loggingServer(t, '0.5')
  for (let count = 0; count < 100; count += 1) {
    await server.get(jwks)
    await server.get('/health/live')
  }
  // With a fair coin, none or all of 100 are as likely as guessing a key of 100 bits.
  for (const path of [jwks, '/health/live']) {
    const own = lines.filter((line) => line.path === path)
    t.true(own.length > 0 && own.length < 100)
    for (const { sample } of own) t.is(sample, 0.5)
  }
  const text = await server.services.metrics.registry.metrics()
  t.regex(text, /requests_total\{route="\/health\/live",method="GET",status="200"\} 100\n/)
})

test('LOG_SAMPLE by default → every request, without a rate', async (t) => {
  const { server, lines } = await loggingServer(t, '')
  for (let count = 0; count < 20; count += 1) await server.get(jwks)
  t.is(lines.length, 20)
  t.false(lines.some((line) => 'sample' in line))
})
