import test from 'ava'
import { invoices, orders } from '../../tools/fixtures.ts'
import type { Form } from '../../tools/http-client.ts'
import { readToken, register } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 9068 §3: resource and audience choose aud; without them it is the first', async (t) => {
  const server = await startServer(t)
  const wishes: [Form, string | string[]][] = [
    [{}, orders],
    [{ resource: '' }, orders],
    [{ resource: orders }, orders],
    [{ resource: invoices }, invoices],
    [{ audience: invoices }, invoices],
    [{ resource: [invoices, orders] }, [invoices, orders]],
    [{ audience: [invoices, orders] }, [invoices, orders]],
    [{ resource: invoices, audience: orders }, [invoices, orders]],
    [{ resource: [orders, orders], audience: orders }, orders],
  ]
  for (const [wish, expected] of wishes) {
    for (const answer of [await server.clientCredentials(wish), await server.signIn(wish)]) {
      t.is(answer.status, 200, answer.text)
      const { aud } = readToken(answer.body.access_token).claims
      t.deepEqual(aud, expected, JSON.stringify(wish))
    }
  }
})

test('RFC 8707 §2, ASVS 9.2.4: a resource that is not available to the client gives invalid_target', async (t) => {
  const server = await startServer(t)
  const others = [
    ...[
      'https://other.example',
      `${orders}/`,
      `${orders}/v1`,
      `${orders}:443`,
      'http://orders.example',
    ],
    ...['HTTPS://ORDERS.EXAMPLE', `${orders}.evil.example`, `${orders}?x=1`, `${orders}#x`, '*'],
    ...['orders', '/orders', '//orders.example', 'https://', 'not a uri', `${orders} ${invoices}`],
    ...['javascript:alert(1)', 'urn:x', 'https://orders.example@evil.example', '__proto__'],
    ...[server.app.issuer, `https://${'x'.repeat(5000)}.example`, 'https://\u043erders.example'],
  ]
  for (const other of others) {
    for (const wish of [{ resource: other }, { audience: other }, { resource: [orders, other] }]) {
      const told = JSON.stringify(wish)
      isOAuthError(t, await server.clientCredentials(wish), told, { error: 'invalid_target' })
      isOAuthError(t, await server.signIn(wish), told, { error: 'invalid_target' })
    }
  }
  t.is(await server.db('refresh_families').first(), undefined, 'and no session was begun')
})

test('RFC 8693 §2.1: an audience may be a plain name, a resource may not', async (t) => {
  const server = await startServer(t)
  const plain = await register(server, 'plain', { audiences: ['billing', orders] })
  const { body } = await server.clientCredentials({ audience: 'billing' }, plain)
  t.is(readToken(body.access_token).claims.aud, 'billing')
  isOAuthError(t, await server.clientCredentials({ resource: 'billing' }, plain), 'billing', {
    error: 'invalid_target',
  })
})
