import test from 'ava'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { accountApi, addPerson, enter } from '../support/people/account-api.ts'
import { startServer } from '../support/server/start-server.ts'

const canary = 'hunter2-canary'
/** V8 quotes ten characters around an error, so no piece of that length may appear. */
const pieces = Array.from({ length: canary.length - 7 }, (_, at) => canary.slice(at, at + 8))

const form = 'application/x-www-form-urlencoded'
const json = 'application/json'

const bodies: readonly (readonly [type: string, body: string])[] = [
  [json, canary],
  [json, `password=${canary}`],
  [json, `{"username":"a","password":${canary}}`],
  [json, `{"username":"a","password":"${canary}"`],
  [json, `{"username":"a","password":"${canary}\n"}`],
  [json, `{"password":"${canary}","password":"${canary}"}`],
  [json, `{"password":"${canary}\\u0000"}`],
  [json, `{"${canary}":1}`],
  [json, `["${canary}"]`],
  [json, `"${canary}"`],
  [form, `password=${canary}%`],
  [form, `password=${canary}%ff`],
  [form, `${canary}`],
  [form, `=${canary}`],
  [form, `grant_type=${canary}`],
  [form, `grant_type=password&username=ada&password=${canary}`],
  [form, `grant_type=refresh_token&refresh_token=srt_${canary}`],
  [form, `grant_type=client_credentials&scope=${canary}&resource=${canary}`],
  [form, `client_assertion=${canary}.${canary}.x&client_assertion_type=${canary}`],
  [form, `token=${canary}&token_type_hint=${canary}`],
  [`text/${canary}`, canary],
]

const paths = [
  '/oauth/token',
  '/oauth/introspect',
  '/oauth/revoke',
  '/api/v1/auth/login',
  '/api/v1/auth/register',
  '/api/v1/auth/refresh',
  '/api/v1/auth/password/reset/confirm',
  '/api/v1/auth/email/verification/confirm',
  '/api/v1/auth/me',
  '/api/v1/nothing',
  '/nothing',
]

const headers: readonly Record<string, string>[] = [
  { authorization: `Bearer ${canary}` },
  { authorization: `Basic ${Buffer.from(`app:${canary}%zz`).toString('base64')}` },
  { authorization: canary },
  { cookie: `__Host-signet_access=${canary}; __Secure-signet_refresh=srt_${canary}; x=${canary}` },
  { 'user-agent': canary, referer: `https://x.example/${canary}`, origin: `https://${canary}` },
  { 'x-forwarded-for': canary, 'x-request-id': canary, 'content-encoding': canary },
  { 'if-none-match': canary, accept: canary, 'x-api-key': canary },
]

test('ASVS 16.2.5: no part of a body, header, cookie or query is logged', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { unthrottled: true, logTo: (line) => lines.push(line) })
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const send = (path: string, own: Record<string, string>, body?: string) =>
    server.request(`${path}?token=${canary}&${canary}`, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      headers: own,
    })
  const post = (path: string, own: Record<string, string>, body: string) =>
    server.request(path, { method: 'POST', body, headers: own })
  for (const path of paths) {
    for (const [type, body] of bodies) {
      const authorization = path.startsWith('/oauth/')
        ? basic(app)
        : `Bearer ${grace.tokens.access_token}`
      const answer = await post(path, { 'content-type': type, authorization }, body)
      t.true(answer.status < 500, `${path} ${body}: ${answer.text}`)
    }
    for (const own of headers) {
      t.true((await send(path, own)).status < 500)
      t.true((await post(path, { 'content-type': form, ...own }, 'x=y')).status < 500)
    }
    await send(path, { 'content-type': json, authorization: basic(app) }, '{}')
  }
  await accountApi(server).get(`sessions?since=${canary}`)
  t.true(lines.length > 300)
  for (const line of lines) for (const piece of pieces) t.false(line.includes(piece), line)
})

test('a body is not JSON → the log has the position of the error only', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  await accountApi(server).post('login', '{"password":"x" y}')
  const { cause } = JSON.parse(lines.at(-1) ?? '')
  t.regex(cause, /^not JSON at position \d+$/)
})
