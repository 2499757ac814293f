// Alone: it measures how long answers take under load.
import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { startServer } from '../support/server/start-server.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'

test('ASVS 15.2.2: PostgreSQL hangs → hundreds of waiting requests get 503, and none stays in memory', async (t) => {
  const { proxy, url: database } = await wiredDatabase(t)
  const environment = { DATABASE_TIMEOUT_SECONDS: '2' }
  const server = await startServer(t, { database, environment })
  const { body } = await server.signIn()
  proxy.weather = 'hang'
  const startedAt = performance.now()
  const storm = Array.from({ length: 400 }, (_, index) =>
    index % 2 ? server.refresh(body.refresh_token) : server.signIn({ username: `nobody ${index}` }),
  )
  t.is((await server.get('/.well-known/jwks.json')).status, 200, 'what needs no database goes on')
  for (const answer of await Promise.all(storm)) {
    t.is(answer.status, 503, answer.text)
    t.regex(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  }
  t.true(performance.now() - startedAt < 30_000)
  const { bulkhead } = server.services
  t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
  proxy.weather = 'fine'
  await eventually(async () => (await server.get('/health/ready')).status === 200, 'it is ready')
  t.is((await server.refresh(body.refresh_token)).status, 200)
  t.is((await server.signIn()).status, 200)
})

test('one address sends hundreds of sign-ins → a single sign-in of another address succeeds', async (t) => {
  const environment = { PASSWORD_CONCURRENCY: '1', PASSWORD_QUEUE_SECONDS: '60' }
  const server = await startServer(t, { environment })
  const { users, bulkhead } = server.services
  const done: string[] = []
  const check = async (name: string, ip: string) => {
    await users.authenticate(undefined, 'a wrong password', ip)
    done.push(name)
  }
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const held = bulkhead.run(() => gate)
  const flood = Array.from({ length: 40 }, () => check('flood', '192.0.2.1'))
  await eventually(() => bulkhead.waiting === 40, 'the flood waits')
  const guest = check('guest', '192.0.2.2')
  await eventually(() => bulkhead.waiting === 41, 'and so does somebody else')
  open()
  await Promise.all([held, guest, ...flood])
  t.is(done.indexOf('guest'), 1, 'second in turn')
})
