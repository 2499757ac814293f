import test from 'ava'
import type { Answer } from '../../../tools/http-client.ts'
import { registerPublic } from '../../support/clients/clients.ts'
import { fromElsewhere, startMailedServer } from '../../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  goodPassword,
  otherPassword,
  problemType,
} from '../../support/people/account-api.ts'
import { guessUntilLocked } from '../../support/people/guessing.ts'
import { startServer } from '../../support/server/start-server.ts'

const environment = { TRUSTED_PROXIES: 'loopback' }

/** Retry-After of RFC 6585 §4, and the RateLimit fields. */
const fields = ({ status, headers, ...answer }: Answer) => ({
  status,
  type: problemType({ status, headers, ...answer }),
  content: headers.get('content-type'),
  policy: headers.get('ratelimit-policy'),
  again: Number(headers.get('retry-after')) > 0,
  left: /;r=0;t=[1-9]\d*$/.test(headers.get('ratelimit') ?? ''),
})
const throttled = (policy: string) => ({
  ...{ status: 429, type: 'too-many-requests', policy, again: true, left: true },
  content: 'application/problem+json; charset=utf-8',
})

for (const [path, policy] of [
  ['password/reset/request', '"password-reset";q=3;w=3600'],
  ['email/verification/request', '"verification";q=3;w=3600'],
] as const) {
  test(`${path}: three requests an hour for an address, known or unknown, from anywhere → the next is 429`, async (t) => {
    const server = await startServer(t, { environment })
    const api = accountApi(server)
    await addPerson(server, 'grace', { emailVerified: path.startsWith('password') })
    for (const name of ['grace', 'nobody']) {
      const ask = (email: string) => api.post(path, { email }, fromElsewhere())
      for (const email of [name, name.toUpperCase(), ` ${name}`]) {
        t.is((await ask(`${email}@people.example`)).status, 202)
      }
      t.deepEqual(fields(await ask(`${name}@People.example`)), throttled(policy))
    }
    const mails = server.db('outgoing_mail').where({ recipient: 'grace@people.example' })
    t.is((await mails).length, 3)
  })
}

test('ASVS 6.6.3: 31 made-up link tokens → the next made-up one is 429, a real one is taken', async (t) => {
  const { server, link } = await startMailedServer(t, { environment })
  const api = accountApi(server)
  const place = fromElsewhere()
  const tokenOf = (guess: number) => ({ token: `sot_${String(guess).padStart(43, 'A')}` })
  for (let guess = 0; guess < 30; guess += 1) {
    const answer =
      guess % 2
        ? await api.post('email/verification/confirm', tokenOf(guess), place)
        : await api.post(
            'password/reset/confirm',
            { ...tokenOf(guess), new_password: otherPassword },
            place,
          )
    t.is(problemType(answer), 'unusable-token')
  }
  const late = await api.post('email/verification/confirm', tokenOf(30), place)
  t.deepEqual(fields(late), throttled('"one-time-token";q=30;w=900'))
  const neighbour = await api.post('email/verification/confirm', tokenOf(30), fromElsewhere())
  t.is(neighbour.status, 400)

  await addPerson(server, 'grace')
  await api.post('password/reset/request', { email: 'grace@people.example' }, place)
  const token = await link('grace@people.example')
  const mine = { token, new_password: otherPassword }
  t.is((await api.post('password/reset/confirm', mine, place)).status, 200)
})

test('ASVS 6.3.1: strangers guess a password → they are delayed, a known device is not', async (t) => {
  const server = await startServer(t, { environment })
  const api = accountApi(server)
  await addPerson(server, 'grace')
  const login = (password: string, more: object = {}) =>
    api.post('login', { username: 'grace', password, ...more }, fromElsewhere())
  const { device_token } = (await login(goodPassword)).body
  const joan = await addPerson(server, 'joan')
  const foreign = server.services.guesses.deviceTokenFor(joan.id)

  const locked = await guessUntilLocked((password) => login(password))
  t.deepEqual(fields(locked), throttled('"sign-in";q=5;w=86400'))
  t.regex(locked.body.detail, /reset the password by email/)
  const answers = [
    login(goodPassword),
    login(goodPassword, { device_token: foreign }),
    login(goodPassword, { device_token: `${device_token.slice(0, -4)}AAAA` }),
    login(goodPassword, { device_token }),
  ]
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.deepEqual(statuses, [429, 429, 429, 200])
})

test('strangers guess at the token endpoint → a device token still signs in', async (t) => {
  const server = await startServer(t, { environment })
  await addPerson(server, 'grace')
  const signIn = (password: string, more: Record<string, string> = {}) =>
    server.signIn({ username: 'grace', password, ...more })
  const { device_token } = (await signIn(goodPassword)).body
  t.regex(device_token, /^sdt_/)
  const locked = await guessUntilLocked((password) => signIn(password))
  t.is(locked.body.error, 'temporarily_unavailable')
  t.is(locked.headers.get('ratelimit-policy'), '"sign-in";q=5;w=86400')
  const [stranger, known] = await Promise.all([
    signIn(goodPassword),
    signIn(goodPassword, { device_token }),
  ])
  t.deepEqual([stranger?.status, known?.status], [429, 200])
  t.regex(known?.body.device_token, /^sdt_/)
})

test('failures at /oauth/token and at the JSON API → counted together', async (t) => {
  const server = await startServer(t, { environment })
  await addPerson(server, 'grace')
  const { client_id } = await registerPublic(server, 'phone')
  const api = accountApi(server)
  await guessUntilLocked((password) => api.post('login', { username: 'GRACE', password }))
  const form = { client_id, username: 'grace', password: goodPassword, scope: 'read' }
  const [token, byForm] = await Promise.all([
    server.token({ grant_type: 'password', ...form }, null),
    server.post('/api/v1/auth/login/form', { username: 'grace', password: goodPassword }, null),
  ])
  t.deepEqual([token?.status, byForm?.status], [429, 429])
})

test('ASVS 6.3.8: guesses at an unknown account → delayed as at a known one', async (t) => {
  const server = await startServer(t, { environment })
  const api = accountApi(server)
  const guess = (password: string) =>
    api.post('login', { email: 'nobody@people.example', password })
  t.deepEqual(fields(await guessUntilLocked(guess, 2)), throttled('"sign-in";q=5;w=86400'))
})
