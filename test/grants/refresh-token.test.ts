import test from 'ava'
import { invoices, orders } from '../../tools/fixtures.ts'
import { readToken, register } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 6749 §6: a narrowed refresh → narrows the token, not the session', async (t) => {
  const server = await startServer(t)
  let { body } = await server.signIn({ scope: 'read write offline_access' })
  const turns: [string | undefined, string][] = [
    ['read', 'read'],
    ['write read', 'write read'],
    ['offline_access', 'offline_access'],
    [undefined, 'read write offline_access'],
    ['read', 'read'],
    ['', 'read write offline_access'],
  ]
  for (const [asked, granted] of turns) {
    const form: Record<string, string> = asked === undefined ? {} : { scope: asked }
    const answer = await server.refresh(body.refresh_token, form)
    t.is(answer.status, 200, answer.text)
    t.is(answer.body.scope, granted)
    t.is(readToken(answer.body.access_token).claims.scope, granted)
    body = answer.body
  }
})

test('RFC 6749 §6, RFC 9700 §4.14.2: a refresh for more than was granted → refused', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn({ scope: 'read offline_access' })
  const tooMuch = [
    ...['write', 'read write', 'admin', 'read offline_access admin', 'READ', 'read\twrite', 'a"b'],
    ...['r\u00e9ad', 'read,write', '*', 'x'.repeat(129), ' '],
  ]
  for (const scope of tooMuch) {
    const answer = await server.refresh(body.refresh_token, { scope })
    isOAuthError(t, answer, JSON.stringify(scope), { error: 'invalid_scope' })
  }
  const { generation } = await server.db('refresh_families').first()
  t.is(generation, readTurn(body.refresh_token), 'and no refusal has spent the token')
  server.clock.advance({ hours: 1 })
  const answer = await server.refresh(body.refresh_token)
  t.is(answer.status, 200, 'nor used up its grace')
  t.is(answer.body.scope, 'read offline_access')
})

/** The generation of a refresh token follows its sid. */
const readTurn = (token: string) => Buffer.from(token.slice(4), 'base64url').readUInt32BE(16)

test('RFC 8707 §2.2: a refresh with a resource → one of the session’s resources', async (t) => {
  const server = await startServer(t)
  const both = await server.signIn({ resource: [orders, invoices] })
  t.deepEqual(readToken(both.body.access_token).claims.aud, [orders, invoices])
  const one = await server.refresh(both.body.refresh_token, { resource: invoices })
  t.is(readToken(one.body.access_token).claims.aud, invoices)
  const again = await server.refresh(one.body.refresh_token)
  t.deepEqual(readToken(again.body.access_token).claims.aud, [orders, invoices])

  const narrow = await server.signIn({ resource: orders })
  for (const resource of [invoices, [orders, invoices], 'https://other.example']) {
    const answer = await server.refresh(narrow.body.refresh_token, { resource })
    isOAuthError(t, answer, String(resource), { error: 'invalid_target' })
  }
  server.clock.advance({ hours: 1 })
  t.is((await server.refresh(narrow.body.refresh_token)).status, 200, 'which spends no token')
})

test('RFC 6749 §6: a refresh token of another client → invalid_grant, as for any other', async (t) => {
  const server = await startServer(t)
  const thief = await register(server, 'thief', { scopes: ['read', 'offline_access', 'steal'] })
  const { body } = await server.signIn()
  const dead = `${body.refresh_token.slice(0, -4)}AAAA`
  const wishes = [{}, { scope: 'read' }, { scope: 'steal' }, { scope: 'x' }, { resource: invoices }]
  for (const wish of wishes) {
    const answers = await Promise.all(
      [body.refresh_token, dead].map((token) => server.refresh(token, wish, thief)),
    )
    const [stolen, unknown] = answers
    t.is(stolen?.text, unknown?.text, JSON.stringify(wish))
    if (stolen) isOAuthError(t, stolen, JSON.stringify(wish), { error: 'invalid_grant' })
  }
  t.is((await server.refresh(body.refresh_token)).status, 200, 'its owner goes on')
})

test('a client loses scopes and audiences → the next token has them no more', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn({ resource: [orders, invoices] })
  const change = { scopes: ['read', 'offline_access'], defaultScopes: ['read'] }
  await server.services.clients.amend('app', { settings: { ...change, audiences: [invoices] } })
  const answer = await server.refresh(body.refresh_token)
  t.is(answer.body.scope, 'read offline_access')
  t.is(readToken(answer.body.access_token).claims.aud, invoices)
  const more = await server.refresh(answer.body.refresh_token, { scope: 'write' })
  isOAuthError(t, more, 'write', { error: 'invalid_scope' })
})

test('ASVS 8.3.2: changed roles → in the next token', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn()
  await server
    .db('users')
    .where({ username: 'ada' })
    .update({ roles: ['reader'] })
  const answer = await server.refresh(body.refresh_token)
  t.deepEqual(readToken(answer.body.access_token).claims.roles, ['reader'])
})
