import test from 'ava'
import { readToken, register } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 6749 §3.3: the requested scope is granted in its order, without duplicates, and returned', async (t) => {
  const server = await startServer(t)
  const asked = {
    read: 'read',
    'write read': 'write read',
    'read read write read': 'read write',
    '  read   write ': 'read write',
    '': 'read write',
  }
  for (const [scope, granted] of Object.entries(asked)) {
    for (const answer of [
      await server.clientCredentials({ scope }),
      await server.signIn({ scope }),
    ]) {
      t.is(answer.status, 200, answer.text)
      t.is(answer.body.scope, granted, JSON.stringify(scope))
      t.is(readToken(answer.body.access_token).claims.scope, granted)
    }
  }
})

test('RFC 6749 §3.3, ASVS 10.4.11: one scope too many is refused', async (t) => {
  const server = await startServer(t)
  const refused = [
    ...['admin', 'read admin', 'READ', 'rea', 'readx', 'read,write', 'read\twrite', 'read\nwrite'],
    ...[' ', 'r"d', 'r\\d', 'r\u00e9ad', '\u200bread', 'x'.repeat(129), '*', '.', 'constructor'],
    ...['__proto__', 'toString', 'rea\u0064 \u0430dmin'],
  ]
  for (const scope of refused) {
    const told = JSON.stringify(scope)
    isOAuthError(t, await server.clientCredentials({ scope }), told, { error: 'invalid_scope' })
    isOAuthError(t, await server.signIn({ scope }), told, { error: 'invalid_scope' })
  }
  t.is(await server.db('refresh_families').first(), undefined, 'and no session was begun')
})

test('RFC 6749 §3.3: without a scope a client gets its default', async (t) => {
  const server = await startServer(t)
  const modest = await register(server, 'modest', { defaultScopes: ['read'] })
  t.is((await server.clientCredentials({}, modest)).body.scope, 'read')
  t.is((await server.signIn({ scope: '' }, modest)).body.scope, 'read')
  t.is((await server.clientCredentials({ scope: 'write' }, modest)).body.scope, 'write')
  const nothing = await register(server, 'nothing', { scopes: [] })
  t.is((await server.clientCredentials({}, nothing)).body.scope, '')
})

test('RFC 8414 §4: scopes are compared case-sensitively', async (t) => {
  const server = await startServer(t)
  const urls = await register(server, 'urls', { scopes: ['https://x.example/Read', 'a:b', '!#$%'] })
  const all = await server.clientCredentials({ scope: 'https://x.example/Read a:b !#$%' }, urls)
  t.is(all.body.scope, 'https://x.example/Read a:b !#$%')
  for (const scope of ['https://x.example/read', 'https://X.example/Read', 'A:b', 'a%3Ab']) {
    isOAuthError(t, await server.clientCredentials({ scope }, urls), scope, {
      error: 'invalid_scope',
    })
  }
})
