import { gzipSync } from 'node:zlib'
import test from 'ava'
import type { Answer } from '../../tools/http-client.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  problemType,
} from '../support/people/account-api.ts'
import { startServer } from '../support/server/start-server.ts'

const credentials = { username: 'grace', password: goodPassword }
const good = JSON.stringify(credentials)

const isProblem = ({ headers }: Answer) =>
  headers.get('content-type') === 'application/problem+json; charset=utf-8'

async function start(t: Parameters<typeof startServer>[0]) {
  const lines: string[] = []
  const server = await startServer(t, { unthrottled: true, logTo: (line) => lines.push(line) })
  await addPerson(server, 'grace')
  const send = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
    server.request('/api/v1/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: body as string,
    })
  return { server, send, lines }
}

test('ASVS 4.1.1: a body must be JSON in UTF-8 and declare it', async (t) => {
  const { send } = await start(t)
  const types = [
    'text/plain',
    'text/json',
    'application/json; charset=latin1',
    'application/jsonx',
    '',
  ]
  for (const type of [
    ...types,
    'application/x-www-form-urlencoded',
    'application/json, text/html',
  ]) {
    const answer = await send(good, { 'content-type': type })
    t.deepEqual([answer.status, problemType(answer)], [415, 'unsupported-media-type'], type)
    t.true(isProblem(answer))
  }
  for (const type of [
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
  ]) {
    t.is((await send(good, { 'content-type': type })).status, 200, type)
  }
})

test('ASVS 1.5.3: invalid or ambiguous JSON is refused', async (t) => {
  const { send } = await start(t)
  const twice = (name: string) => good.replace('{', `{"${name}":"ada",`)
  const bodies: Record<string, string | Uint8Array> = {
    nothing: '',
    'no JSON': '{username: 1}',
    'half of it': good.slice(0, -1),
    'more of it': `${good}{}`,
    'a comment': `/**/${good}`,
    'a trailing comma': good.replace('}', ',}'),
    NaN: '{"username":NaN}',
    'invalid UTF-8': Buffer.concat([
      Buffer.from('{"username":"'),
      Buffer.from([0xff, 0xc0]),
      Buffer.from('"}'),
    ]),
    'UTF-16': Buffer.from(good, 'utf16le'),
    'a NUL': good.replace('grace', 'gr\\u0000ace'),
    'a raw NUL': good.replace('grace', 'gr\0ace'),
    'half a surrogate pair': good.replace('grace', '\\ud800'),
    'a NUL in a name': good.replace('{', '{"a\\u0000":1,'),
    'a member twice': twice('username'),
    'a member twice, spelled otherwise': twice('\\u0075sername'),
    'a member twice, deeper': good.replace('{', '{"x":[{"a":1,"a":2}],'),
    'too deep': '['.repeat(8000) + ']'.repeat(8000),
  }
  for (const [name, body] of Object.entries(bodies)) {
    const answer = await send(body)
    const fields = name === 'too deep' && answer.status === 422
    if (!fields) t.deepEqual([answer.status, problemType(answer)], [400, 'malformed-request'], name)
    t.true(isProblem(answer), name)
  }
  const alike = '{"username":"grace","password":"\\"password\\": \\\\u0000 {", "mode":"tokens"}'
  t.is((await send(alike)).status, 401, 'a text that only looks like it is taken')
})

test('ASVS 4.1.5: a compressed or too large body is refused before it is read', async (t) => {
  const { send } = await start(t)
  for (const encoding of ['gzip', 'deflate', 'br', 'x']) {
    const answer = await send(gzipSync(good), { 'content-encoding': encoding })
    t.deepEqual([answer.status, problemType(answer)], [400, 'malformed-request'], encoding)
  }
  const large = await send(JSON.stringify({ ...credentials, scope: 'x'.repeat(17 * 1024) }))
  t.deepEqual([large.status, problemType(large)], [413, 'too-large'])
  t.true(isProblem(large))
})

test('ASVS 2.2.1: a field has a wrong type → 422 that names the field, never 500', async (t) => {
  const { send, lines } = await start(t)
  const wrong: unknown[] = [
    null,
    true,
    1,
    1e308,
    -0.5,
    [],
    ['grace'],
    {},
    { length: 5 },
    { toString: 'x' },
    '',
  ]
  for (const field of ['username', 'password', 'mode', 'scope', 'client_id', 'device_token']) {
    for (const value of wrong) {
      if (value === '' && ['scope', 'client_id', 'device_token'].includes(field)) continue
      const answer = await send(JSON.stringify({ ...credentials, [field]: value }))
      t.deepEqual(
        [answer.status, problemType(answer)],
        [422, 'invalid-fields'],
        `${field} ${JSON.stringify(value)}`,
      )
      t.true(
        answer.body.errors.some(({ pointer }: { pointer: string }) =>
          pointer.startsWith(`/${field}`),
        ),
      )
    }
  }
  for (const body of ['null', 'true', '1', '1e999', '"x"', '[]', `[${good}]`, '{"__proto__":{}}']) {
    const answer = await send(body)
    t.deepEqual([answer.status, problemType(answer)], [422, 'invalid-fields'], body)
  }
  const proto = await send(good.replace('{', '{"__proto__":{"mode":"cookies"},"constructor":1,'))
  t.is(proto.status, 422)
  t.is(({} as { mode?: string }).mode, undefined)
  t.false(lines.some((line) => /bug in this server/.test(line)))
})

test('paths and queries with characters that PostgreSQL cannot store are refused', async (t) => {
  const { server, lines } = await start(t)
  await addPerson(server, 'admin', { roles: ['admin'] })
  const scope = { username: 'admin', password: goodPassword, scope: 'admin account' }
  const { body } = await accountApi(server).post('login', scope)
  const headers = { authorization: `Bearer ${body.access_token}` }
  const paths = [
    'users?text=%00',
    'users?role=%00',
    'users/%00',
    'audit?event=%00',
    'users?limit=1&limit=2',
    'users?limit=',
    'users?limit=1e9',
    'users?after=x',
    'users?__proto__=1',
    'users?nothing=1',
    'audit?after=99999999999999999999',
    'audit?from=yesterday',
    'users/%ff',
    'users?limit=0',
    'audit?from=275761-01-01T00:00:00Z',
    'users?text=',
  ]
  for (const path of paths) {
    const answer = await server.get(`/api/v1/${path}`, headers)
    t.true([400, 422].includes(answer.status), `${path} ${answer.status}`)
    t.true(isProblem(answer))
  }
  for (const path of ['users?text=%ff', 'users?text=%F0%9F%A6%89', 'users?text=%25_%5C']) {
    t.is((await server.get(`/api/v1/${path}`, headers)).status, 200, path)
  }
  const remove = await server.request('/api/v1/clients/%00', { method: 'DELETE', headers })
  t.is(remove.status, 400)
  t.false(lines.some((line) => /bug in this server/.test(line)))
})

test('RFC 9457: unknown paths and wrong methods below /api are problems, with Allow', async (t) => {
  const { server } = await start(t)
  const { tokens } = await enter(server, 'grace')
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  for (const path of ['/api/', '/api/v1/nothing', '/api/v1/auth/me/x', '/api/v1/users/x/y']) {
    const answer = await server.request(path, { method: 'POST', headers })
    t.deepEqual([answer.status, problemType(answer)], [404, 'not-found'], path)
    t.true(isProblem(answer))
  }
  const methods: Record<string, string[]> = {
    'auth/me': ['DELETE', 'GET', 'HEAD', 'PATCH'],
    'auth/login': ['POST'],
    'users/stats': ['GET', 'HEAD'],
  }
  for (const [path, allowed] of Object.entries(methods)) {
    for (const method of ['PUT', 'PROPFIND']) {
      const answer = await server.request(`/api/v1/${path}`, { method, headers })
      t.deepEqual(
        [answer.status, problemType(answer)],
        [405, 'method-not-allowed'],
        `${method} ${path}`,
      )
      const allow = (answer.headers.get('allow') ?? '').split(', ').sort()
      t.true(
        allowed.every((one) => allow.includes(one)),
        allow.join(),
      )
    }
  }
})
