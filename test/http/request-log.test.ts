import test from 'ava'
import { ada, app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { administer } from '../../tools/template.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer } from '../support/server/start-server.ts'

test('ASVS 16.2.1: each request is logged as one line of JSON: when, where, who, what', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  lines.length = 0
  const answer = await server.signIn()
  t.is(lines.length, 1)
  const line = JSON.parse(lines[0] ?? '')
  t.like(line, { method: 'POST', path: '/oauth/token', status: 200, ip: '127.0.0.1' })
  t.like(line, { clientId: 'app', grant: 'password', msg: 'request' })
  t.is(line.requestId, answer.headers.get('x-request-id'))
  t.regex(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('ASVS 16.4.1: control characters of callers cannot start a new line in the log', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const evil = 'x\r\n{"level":60,"msg":"forged"}\n\u001b[31m\u0085\u2028\u0007'
  const forms = [
    { grant_type: 'password', username: evil, password: evil },
    { grant_type: evil },
    { grant_type: 'refresh_token', refresh_token: evil },
    { grant_type: 'client_credentials', scope: evil },
    { grant_type: 'client_credentials', resource: evil },
    { [evil]: evil },
  ]
  lines.length = 0
  for (const form of forms) t.is((await server.token(form)).status, 400)
  t.is((await server.introspect(evil)).status, 200)
  t.is((await server.revoke(evil)).status, 200)
  t.is((await server.clientCredentials({}, { id: evil, secret: evil })).status, 401)
  t.is((await server.token({ client_id: evil }, null)).status, 401)
  await server.get(`/${encodeURIComponent(evil)}`)
  await server.get('/', { 'user-agent': 'x\ty', 'x-request-id': 'forged', referer: 'forged' })
  t.is(lines.length, forms.length + 6)
  for (const line of lines) {
    t.notRegex(line.slice(0, -1), /\p{Cc}/u)
    t.is(JSON.parse(line).level, 30)
    t.notRegex(line, /"msg":"forged"|"requestId":"forged"/)
  }
})

test('ASVS 16.2.5: no password, secret or token of a request reaches the log', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const { body } = await server.signIn()
  const next = await server.refresh(body.refresh_token)
  await server.signIn({ password: 'a-wrong-password' })
  await server.clientCredentials({}, { id: app.id, secret: 'a-wrong-secret' })
  await server.clientCredentials({ client_id: app.id, client_secret: 'a-wrong-secret' }, null)
  await server.introspect(body.access_token)
  await server.revoke(next.body.refresh_token)
  await server.refresh(next.body.refresh_token)
  await server.get(`/oauth/token?client_secret=${app.secret}&access_token=${body.access_token}`)
  const log = lines.join('')
  const secrets = [
    ada.password,
    app.secret,
    basic(app),
    'a-wrong-password',
    'a-wrong-secret',
    body.access_token,
    body.refresh_token,
    next.body.access_token,
    next.body.refresh_token,
    body.access_token.split('.')[2],
  ]
  for (const secret of secrets) t.false(log.includes(secret))
  t.true(lines.length >= 8)
})

test('a caller aborts its request → one line, and no error', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  lines.length = 0
  const headers = {
    authorization: basic(app),
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': '1000',
  }
  await sendRaw(server.url, rawRequest('POST', '/oauth/token', headers), { hangUp: true })
  t.is((await server.clientCredentials()).status, 200)
  const levels = lines.map((line) => JSON.parse(line).level)
  t.deepEqual(
    levels.filter((level) => level > 30),
    [],
  )
})

test('the database is unavailable → one line per request, with the cause and advice', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const name = new URL(server.databaseUrl).pathname.slice(1)
  await administer(process.env.TEST_DATABASE_URL ?? '', `DROP DATABASE ${name} WITH (FORCE)`)
  const answer = await server.signIn()
  t.is(answer.status, 503)
  const id = answer.headers.get('x-request-id')
  const own = lines.map((line) => JSON.parse(line)).filter(({ requestId }) => requestId === id)
  t.is(own.length, 1)
  t.like(own[0], { level: 50, msg: 'request', status: 503, error: 'temporarily_unavailable' })
  t.is(typeof own[0].cause, 'string')
  t.regex(own[0].advice, /PostgreSQL|database/)
  t.false('err' in own[0])
})
