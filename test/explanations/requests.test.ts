import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { generateKeyPair, SignJWT } from 'jose'
import { refusalLimits } from '../../src/audit/refusal-record.ts'
import { register } from '../support/clients/clients.ts'
import { goodClaims, registerWithKey } from '../support/clients/key-clients.ts'
import { signIn, startWebApp } from '../support/clients/web-app.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { explainerOf } from './explainer.ts'

/** A request that is refused: its public error, the check of its record, and what that says. */
type Case = readonly [
  name: string,
  answer: { readonly headers: Headers; readonly status: number; readonly body?: unknown },
  error: string,
  failed: string,
  says: RegExp,
]

const errorOf = (body: unknown): string => {
  const { error, type = '' } = (body ?? {}) as { error?: string; type?: string }
  return error ?? type.replace('urn:signet:problem:', '')
}

async function areRecorded(
  t: ExecutionContext,
  server: TestServer,
  cases: readonly Case[],
): Promise<void> {
  const explain = explainerOf(server)
  await server.services.refusals.write()
  for (const [name, answer, error, failed, says] of cases) {
    t.is(errorOf(answer.body), error, `${name}: the caller sees a standard error`)
    const id = answer.headers.get('x-request-id') ?? ''
    const found = await explain(id)
    t.is(found.failed, failed, `${name}: ${JSON.stringify(found.explanation)}`)
    t.regex(found.message, says, name)
  }
}

/** Status and body of the answer of a case. */
const seen = (cases: readonly Case[], name: string) => {
  const answer = cases.find(([one]) => one === name)?.[1]
  return [answer?.status, answer?.body]
}

test('a client that is refused → its record names the defect, which the caller does not see', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const narrow = await register(server, 'narrow', { grantTypes: ['client_credentials'] })
  const keyed = await registerWithKey(server, 'keyed')
  const thief = await generateKeyPair('ES256')
  const byAssertion = async (claims: object, key = keyed.privateKey) =>
    server.token(
      {
        grant_type: 'client_credentials',
        client_assertion: await new SignJWT(goodClaims(server, 'keyed', claims as never))
          .setProtectedHeader({ alg: 'ES256' })
          .sign(key),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      },
      null,
    )
  const wrong = (id: string) => ({ id, secret: 'scs_wrong' })
  const cases: Case[] = [
    ['no client', await server.signIn({}, null), 'invalid_client', 'client', /no client named/],
    [
      'an unknown client',
      await server.signIn({}, wrong('nobody')),
      'invalid_client',
      'client',
      /unknown client/,
    ],
    [
      'a wrong secret',
      await server.signIn({}, wrong('app')),
      'invalid_client',
      'client',
      /wrong secret/,
    ],
    [
      'a foreign assertion',
      await byAssertion({}, thief.privateKey),
      'invalid_client',
      'client',
      /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/,
    ],
    [
      'an assertion for another server',
      await byAssertion({ aud: 'https://x' }),
      'invalid_client',
      'client',
      /ERR_JWT_CLAIM_VALIDATION_FAILED/,
    ],
    [
      'an unknown grant',
      await server.token({ grant_type: 'magic' }),
      'unsupported_grant_type',
      'grant',
      /supported grant types/,
    ],
    [
      'a grant that it may not use',
      await server.signIn({}, narrow),
      'unauthorized_client',
      'grant',
      /not allowed/,
    ],
  ]
  await areRecorded(t, server, cases)
  t.deepEqual(seen(cases, 'an unknown client'), seen(cases, 'a wrong secret'))
})

test('a password or a parameter that is refused → its record, and one answer for every person', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const cases: Case[] = [
    [
      'a wrong password',
      await server.signIn({ password: 'wrong' }),
      'invalid_grant',
      'password',
      /never told apart/,
    ],
    [
      'an unknown person',
      await server.signIn({ username: 'nobody' }),
      'invalid_grant',
      'password',
      /never told apart/,
    ],
    [
      'a scope too many',
      await server.signIn({ scope: 'read root' }),
      'invalid_scope',
      'scope',
      /exceeds/,
    ],
    [
      'another service',
      await server.signIn({ audience: 'https://x.example' }),
      'invalid_target',
      'audience',
      /not available/,
    ],
    [
      'no password',
      await server.token({ grant_type: 'password', username: 'ada' }),
      'invalid_request',
      'request',
      /password/,
    ],
  ]
  await areRecorded(t, server, cases)
  t.deepEqual(seen(cases, 'an unknown person'), seen(cases, 'a wrong password'))
})

test('a refresh token that is refused → its record names the defect, and one answer for all', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { body } = await server.signIn()
  const other = await register(server, 'other')
  const ended = (await server.signIn()).body.refresh_token
  await server.revoke(ended)
  const cases: Case[] = [
    [
      'a forged refresh token',
      await server.refresh(`${body.refresh_token}x`),
      'invalid_grant',
      'signature',
      /\(forged\)/,
    ],
    [
      'that of another client',
      await server.refresh(body.refresh_token, {}, other),
      'invalid_grant',
      'owner',
      /another client \(other_client\)/,
    ],
    [
      'one of an ended session',
      await server.refresh(ended),
      'invalid_grant',
      'end',
      /the session had ended \(revoked\)/,
    ],
  ]
  await server.refresh(body.refresh_token)
  server.clock.advance({ minutes: 10 })
  cases.push([
    'one that was spent',
    await server.refresh(body.refresh_token),
    'invalid_grant',
    'generation',
    /\(reused\)/,
  ])
  await areRecorded(t, server, cases)
  t.is(new Set(cases.map(([name]) => JSON.stringify(seen(cases, name)))).size, 1)
})

test('a refused call of an API → its record names the defect, and every caller sees one answer', async (t) => {
  const server = await startServer(t)
  const call = (token: string, path = '/oauth/userinfo') =>
    server.get(path, { authorization: `Bearer ${token}` })
  const { body } = await server.signIn()
  const revoked = (await server.signIn()).body
  await server.revoke(revoked.refresh_token)
  const own = await server.clientCredentials()
  const cases: Case[] = [
    ['no token', await call('nonsense'), 'invalid_token', 'form', /three parts/],
    [
      'a changed one',
      await call(`${body.access_token.slice(0, -10)}AAAAAAAAAA`),
      'invalid_token',
      'signature',
      /not of this key/,
    ],
    ['one of a client', await call(own.body.access_token), 'invalid_token', 'person', /itself/],
    [
      'one for another service',
      await call(body.access_token),
      'invalid_token',
      'audience',
      /another service/,
    ],
    [
      'the same at the JSON API',
      await call(body.access_token, '/api/v1/auth/me'),
      'unauthenticated',
      'audience',
      /another service/,
    ],
  ]
  const inactive = await server.introspect(revoked.access_token)
  const foreign = await register(server, 'foreign')
  cases.push(
    ['introspection of a revoked one', inactive, '', 'revocation', /the token, its session/],
    [
      'introspection by another client',
      await server.introspect(body.access_token, foreign),
      '',
      'audience',
      /may not introspect/,
    ],
    [
      'introspection of an API key',
      await server.introspect(`sak_${'x'.repeat(43)}`),
      '',
      'key',
      /unknown, expired/,
    ],
    [
      'revocation of the token of another client',
      await server.revoke(body.access_token, foreign),
      '',
      'owner',
      /another client/,
    ],
  )
  server.clock.advance({ hours: 1 })
  const expired = await call(body.access_token)
  cases.push(['an expired one', expired, 'invalid_token', 'time', /exp has passed/])
  await areRecorded(t, server, cases)
  const texts = cases.filter(([, , error]) => error === 'invalid_token')
  t.is(new Set(texts.map(([, answer]) => JSON.stringify(answer.body))).size, 1)
  t.is(inactive.text, '{"active":false}')
  const sid = JSON.parse(atob(revoked.access_token.split('.')[1])).sid
  const { explanation } = await explainerOf(server)(inactive.headers.get('x-request-id') ?? '')
  t.regex(explanation?.notes.join(' ') ?? '', new RegExp(`signet explain ${sid}`))
})

test('a refused code and a refused authorization request → the condition, the parameter', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const code = async () => (await signIn(browser, app)).code ?? ''
  const grant = (answer: Awaited<ReturnType<typeof app.redeem>>) => answer
  const good = await code()
  await app.redeem(good)
  const late = await code()
  const outOfBrowser = await code()
  const cases: Case[] = [
    [
      'another redirect_uri',
      grant(await app.redeem(await code(), { redirect_uri: 'https://web.example/x' })),
      'invalid_grant',
      'redirect_uri',
      /redirect_uri_mismatch/,
    ],
    [
      'another verifier',
      grant(await app.redeem(await code(), { code_verifier: 'x'.repeat(43) })),
      'invalid_grant',
      'pkce',
      /pkce_mismatch/,
    ],
    [
      'no verifier',
      grant(await app.redeem(await code(), { code_verifier: '' })),
      'invalid_grant',
      'pkce',
      /pkce_mismatch/,
    ],
    ['twice', grant(await app.redeem(good)), 'invalid_grant', 'code', /code_reused/],
    ['forged', grant(await app.redeem(`${good}x`)), 'invalid_grant', 'signature', /forged_code/],
    [
      'an address that is not registered',
      await server.get(app.authorizeUrl({ redirect_uri: 'https://evil.example' })),
      '',
      'redirect_uri',
      /not registered/,
    ],
    [
      'an unknown client',
      await server.get(app.authorizeUrl({ client_id: 'nobody' })),
      '',
      'client',
      /no such client/,
    ],
    [
      'no challenge',
      await server.get(app.authorizeUrl({ response_type: 'token' })),
      '',
      'request',
      /response_type/,
    ],
  ]
  await server
    .db('browser_sessions')
    .update({ revoked_at: new Date(), revoked_reason: 'signed_out' })
  cases.push([
    'after signing out',
    grant(await app.redeem(outOfBrowser)),
    'invalid_grant',
    'browser',
    /browser_signed_out/,
  ])
  server.clock.advance({ minutes: 2 })
  cases.push(['late', grant(await app.redeem(late)), 'invalid_grant', 'time', /code_expired/])
  await areRecorded(t, server, cases)
  const bodies = cases.filter(([, , error]) => error === 'invalid_grant')
  t.is(new Set(bodies.map(([, answer]) => JSON.stringify(answer.body))).size, 1)
})

test('too many wrong passwords → the limit that was exceeded', async (t) => {
  const server = await startServer(t)
  let answer = await server.signIn({ password: 'wrong' })
  for (let n = 0; n < 200 && answer.status !== 429; n += 1) {
    answer = await server.signIn({ password: 'wrong' })
  }
  await areRecorded(t, server, [
    ['throttled', answer, 'temporarily_unavailable', 'limit', /sign-in was exceeded/],
  ])
})

test('a client → its last refusals', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const { body } = await server.signIn()
  const refused = await server.refresh(`${body.refresh_token}x`)
  await server.services.refusals.write()
  const id = refused.headers.get('x-request-id')
  const { explanation } = await explain('app')
  const note = `POST /oauth/token 400 forged (signet explain ${id})`
  t.true(explanation?.notes.join(' ').includes(note), explanation?.notes.join(' '))
})

test('a flood of refusals of one address → few are recorded, the others counted; known callers have room', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { refusals } = server.services
  const { all, ofStrangers, ofAddress } = refusalLimits
  const refused = { requestId: 'flood', method: 'POST', route: '/x', status: 401 }
  await refusals.write()
  const before = refusals.dropped
  for (let n = 0; n < 1000; n += 1) refusals.note(refused, { ip: '192.0.2.1', isStranger: true })
  t.is(refusals.dropped - before, 1000 - ofAddress)
  for (let n = 0; n < 1000; n += 1) refusals.note(refused, { ip: `192.0.2.${n}`, isStranger: true })
  t.is(refusals.dropped - before, 2000 - ofStrangers)
  const known = { ...refused, requestId: 'known' }
  for (let n = 0; n < 1000; n += 1) refusals.note(known, { ip: '192.0.2.1', isStranger: false })
  t.is(refusals.dropped - before, 3000 - all)
  await refusals.write()
  const count = async (request_id: string) =>
    Number((await server.db('refusals').where({ request_id }).count())[0]?.count)
  t.is(await count('flood'), ofStrangers)
  t.is(await count('known'), all - ofStrangers)
})

test('PostgreSQL refuses the record → dropped and counted, and never tried again', async (t) => {
  const server = await startServer(t)
  const { refusals } = server.services
  await server.db.raw('ALTER TABLE refusals RENAME TO gone')
  const before = refusals.dropped
  t.is((await server.signIn({ password: 'wrong' })).body.error, 'invalid_grant')
  // The job of the server may have tried it just before.
  await refusals.write().catch((error) => t.regex(error.message, /refusals/))
  t.is(refusals.dropped, before + 1)
  await server.db.raw('ALTER TABLE gone RENAME TO refusals')
  await refusals.write()
  t.deepEqual(await server.db('refusals'), [])
})

test('the record → unlogged, without a secret, and gone after a day or above a maximum', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { refusals, janitor } = server.services
  const [table] = await server
    .db('pg_class')
    .where({ relname: 'refusals' })
    .select('relpersistence')
  t.is(table.relpersistence, 'u')
  await server.signIn({ password: 'hunter2-canary', device_token: 'hunter2-canary' })
  await server.refresh('srt_hunter2-canary')
  await server.get('/oauth/userinfo?token=hunter2-canary', {
    authorization: 'Bearer hunter2-canary',
  })
  await server.get('/nothing/hunter2-canary')
  await refusals.write()
  const rows = await server.db('refusals')
  t.is(rows.length, 3, 'a path that does not exist is not recorded')
  t.false(JSON.stringify(rows).includes('hunter2'))
  const { deleteSurplusRefusals } = await import('../../src/audit/refusal-record.ts')
  const kept = { strangers: 0, others: 1 }
  t.deepEqual(await deleteSurplusRefusals(server.db, 1000, kept), { rows: 2, done: true })
  server.clock.advance({ days: 1, minutes: 1 })
  await janitor.run()
  t.deepEqual(await server.db('refusals'), [])
})

test('docs/operations.md names every cause of a refused code or refresh token', async (t) => {
  const page = await readFile('docs/operations.md', 'utf8')
  const source = await readFile('src/explanations/request.ts', 'utf8')
  const [, table = ''] = /const causes[^=]*= \{(.*?)^\}/ms.exec(source) ?? []
  const names = [...table.matchAll(/^ {2}(\w+):/gm)].map(([, name = '']) => name)
  t.true(names.length > 15)
  for (const name of names) t.true(page.includes(`\`${name}\``), name)
})
