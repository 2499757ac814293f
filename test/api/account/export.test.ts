import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { addPerson, enter } from '../../support/people/account-api.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'

/** A person with this many events, numbered in `detail`, of about `bytes` each. */
async function personWithEvents(server: TestServer, count: number, bytes = 1) {
  const { id } = await addPerson(server, 'grace')
  await server.db.raw(
    `INSERT INTO audit_events (at, event, user_id, detail)
     SELECT now(), 'user.signed_in', ?, jsonb_build_object('number', i, 'text', repeat('x', ?))
       FROM generate_series(1, ?) AS i`,
    [id, bytes, count],
  )
  return enter(server, 'grace')
}

/** The number of pages of events that were read. */
function pagesRead({ db }: TestServer): { count: number } {
  const pages = { count: 0 }
  db.on('query', ({ sql }: { sql: string }) => {
    if (/select .* from "audit_events"/.test(sql)) pages.count += 1
  })
  return pages
}

/** An export that is requested and not read. */
async function unread(t: ExecutionContext, server: TestServer, token: string) {
  const url = `${server.url}/api/v1/auth/me/export`
  const request = get(url, { headers: { authorization: `Bearer ${token}` } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.pause()
  t.teardown(() => response.destroy())
  return response
}

async function textOf(response: IncomingMessage): Promise<{ text: string; whole: boolean }> {
  let text = ''
  response.setEncoding('utf8')
  try {
    for await (const chunk of response) text += chunk
  } catch {
    // The document is truncated.
  }
  return { text, whole: response.complete }
}

const events = 25_000

test('a person with 25,000 events exports them → all of them, newest first', async (t) => {
  const server = await startServer(t)
  const grace = await personWithEvents(server, events)
  const { status, body, headers } = await grace.get('me/export')
  t.is(status, 200)
  t.is(headers.get('content-type'), 'application/json; charset=utf-8')
  t.deepEqual(Object.keys(body), [
    ...[
      'person',
      'sessions',
      'browser_sessions',
      'consents',
      'api_keys',
      'mails',
      'links',
      'audit_events',
    ],
  ])
  const names = Object.keys(body.audit_events[0])
  t.deepEqual(names, ['at', 'event', 'client_id', 'sid', 'ip', 'detail'])
  const numbers = body.audit_events
    .map(({ detail }: { detail: { number?: number } }) => detail.number)
    .filter((number: unknown) => number !== undefined)
  t.deepEqual(
    numbers,
    Array.from({ length: events }, (_, i) => events - i),
  )
})

test('ASVS 15.2.2: a client reads no export → pages wait in the database, and no connection with them', async (t) => {
  const server = await startServer(t)
  const grace = await personWithEvents(server, events, 2000)
  const pages = pagesRead(server)
  const response = await unread(t, server, grace.tokens.access_token)
  let before = -1
  await eventually(async () => {
    const still = pages.count === before
    before = pages.count
    await new Promise((resolve) => setTimeout(resolve, 300))
    return still && pages.count > 0 && pages.count === before
  }, 'no further page is read')
  t.true(pages.count < events / 500, `${pages.count} pages`)
  await eventually(async () => {
    const { rows } = await server.db.raw(
      `SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
          AND state <> 'idle' AND pid <> pg_backend_pid()`,
    )
    return rows.length === 0
  }, 'no connection is kept')
  const { text, whole } = await textOf(response)
  t.true(whole)
  t.true(JSON.parse(text).audit_events.length >= events)
})

test('the database fails in the middle of an export → the connection breaks, the JSON is no document', async (t) => {
  const server = await startServer(t)
  const grace = await personWithEvents(server, events, 2000)
  const pages = pagesRead(server)
  const response = await unread(t, server, grace.tokens.access_token)
  await eventually(async () => pages.count > 0, 'it has begun')
  await server.db.raw('ALTER TABLE audit_events RENAME TO elsewhere')
  const { text, whole } = await textOf(response)
  t.false(whole)
  t.true(text.startsWith('{"person":'))
  t.throws(() => JSON.parse(text))
})
