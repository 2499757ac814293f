import { once } from 'node:events'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { findPostmaster } from '../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { beginServing, emptyFolder, serve } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** A production server on the stores of the tests, and a way to make its requests wait. */
async function start(t: ExecutionContext<unknown>, env: Record<string, string> = {}) {
  const databaseUrl = await copyTemplate(t)
  const cwd = await emptyFolder(t)
  const serving = await serve(t, {
    cwd,
    env: { ...production(databaseUrl), DATABASE_TIMEOUT_SECONDS: '30', ...env },
  })
  const blocker = new pg.Client({ connectionString: databaseUrl })
  await blocker.connect()
  blocker.on('error', () => undefined)
  t.teardown(() => blocker.end())
  /** Until the end of the transaction no client is found, so every request for a token waits. */
  const block = () => blocker.query('BEGIN; LOCK TABLE clients IN ACCESS EXCLUSIVE MODE')
  const waiting = async () => {
    const waits = `
      SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database
      WHERE NOT granted AND relation = 'clients'::regclass AND datname = current_database()`
    return (await blocker.query(waits)).rowCount === 1
  }
  const unblock = () => blocker.query('COMMIT')
  const stopping = () => eventually(() => /stopping/.test(serving.stdout()), 'it stops')
  return { ...serving, block, unblock, waiting, stopping, browser: new HttpClient(serving.url) }
}

test('SIGTERM during a request → it is answered, and its connection is closed', async (t) => {
  const server = await start(t)
  await server.block()
  const request = server.browser.clientCredentials()
  await eventually(server.waiting, 'the request waits')
  server.signal('SIGTERM')
  await server.stopping()
  await server.unblock()
  const answer = await request
  t.is(answer.status, 200, answer.text)
  t.is(answer.headers.get('connection'), 'close')
  t.is(await server.exited, 0, server.stderr())
})

test('SIGTERM with idle connections → the server stops without waiting for them', async (t) => {
  const server = await start(t, { SHUTDOWN_SECONDS: '300', IDLE_TIMEOUT_SECONDS: '620' })
  const used = connect(server.port, '127.0.0.1')
  used.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
  const [answer] = await once(used, 'data')
  t.regex(String(answer), /^keep-alive: timeout=620\r$/im)
  const unused = connect(server.port, '127.0.0.1')
  await once(unused, 'connect')
  // The server has taken it as soon as it answers on a later one.
  t.is((await server.browser.get('/health/live')).status, 200)
  const closed = Promise.all([once(used, 'close'), once(unused, 'close')])
  server.signal('SIGTERM')
  await closed
  t.is(await server.exited, 0)
})

test('SHUTDOWN_DELAY_SECONDS → /health/ready returns 503 while requests are answered', async (t) => {
  const server = await start(t, { SHUTDOWN_DELAY_SECONDS: '300' })
  const socket = connect(server.port, '127.0.0.1')
  const ask = async () => {
    socket.write('GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n')
    return String((await once(socket, 'data'))[0])
  }
  t.regex(await ask(), /^HTTP\/1\.1 200 .*connection: keep-alive/is)
  server.signal('SIGTERM')
  await server.stopping()
  t.regex(await ask(), /^HTTP\/1\.1 503 .*connection: close.*is shutting down/is)
  t.is((await server.browser.clientCredentials()).status, 200)
  t.is((await server.browser.get('/health/live')).status, 200)
  server.signal('SIGTERM')
  t.is(await server.exited, 0, 'a second signal does not wait')
})

test('requests longer than SHUTDOWN_SECONDS → cut off', async (t) => {
  const server = await start(t, { SHUTDOWN_SECONDS: '1' })
  await server.block()
  const request = server.browser.clientCredentials()
  await eventually(server.waiting, 'the request waits')
  server.signal('SIGTERM')
  await t.throwsAsync(request)
  await server.unblock()
  t.is(await server.exited, 0, server.stdout())
})

test('a second Ctrl-C → cuts off requests and still closes everything', async (t) => {
  const server = await start(t, { SHUTDOWN_SECONDS: '300' })
  await server.block()
  const request = server.browser.clientCredentials()
  await eventually(server.waiting, 'the request waits')
  server.signal('SIGINT')
  await server.stopping()
  server.signal('SIGINT')
  await t.throwsAsync(request)
  await server.unblock()
  t.is(await server.exited, 0, server.stdout())
})

test.serial('SIGTERM during the start → the server stops, whenever the signal comes', async (t) => {
  const home = await emptyFolder(t)
  const moments = [/Creating/, /migrating/, /creating a master key/]
  for (const moment of moments) {
    const server = await beginServing(t, { cwd: home })
    const said = () => moment.test(server.stderr()) || server.ended()
    // Only the first start creates; of a later one every moment will do.
    await eventually(() => said() || /Signet serves/.test(server.stderr()), String(moment))
    server.signal('SIGTERM')
    t.is(await server.exited, 0, server.stderr())
    t.regex(server.stderr(), /stopped\n$/)
    t.is(await findPostmaster(`${home}/.data/postgres`), undefined)
  }
})
