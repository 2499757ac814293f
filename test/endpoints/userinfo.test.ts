import test from 'ava'
import { signIn, startWebApp } from '../support/clients/web-app.ts'

const named = { claims: JSON.stringify({ userinfo: { email: null, name: null, sub: null } }) }

test('OIDC Core §5.5: claims names what the scopes of the client do not cover → it is left out', async (t) => {
  const settings = { scopes: ['openid', 'read'] }
  const { app, browser, server } = await startWebApp(t, { settings })
  await server
    .db('users')
    .update({ email: 'ada@people.example', email_verified_at: new Date(), full_name: 'Ada' })
  const { code = '' } = await signIn(browser, app, { scope: 'openid', ...named })
  const { body } = await app.redeem(code)
  const claims = await (await app.userinfo(body.access_token)).json()
  t.deepEqual(Object.keys(claims), ['sub'])
})

test('OIDC Core §5.5: claims names what the scopes of the client cover → it is there without its scope', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await server.db('users').update({ email: 'ada@people.example', email_verified_at: new Date() })
  const { code = '' } = await signIn(browser, app, { scope: 'openid', ...named })
  const { body } = await app.redeem(code)
  const claims = await (await app.userinfo(body.access_token)).json()
  t.deepEqual(Object.keys(claims).sort(), ['email', 'sub'])
})

test('RFC 6750 §3.1: no token, a foreign one, two at once, one without openid → the error of each', async (t) => {
  const { app, server } = await startWebApp(t)
  const at = `${server.url}/oauth/userinfo`
  const ask = async (init: RequestInit) => {
    const answer = await fetch(at, init)
    return [answer.status, answer.headers.get('www-authenticate')]
  }
  const realm = 'Bearer realm="signet"'
  t.deepEqual(await ask({}), [401, realm])
  const { access_token: own } = (await server.signIn()).body
  const bearer = { authorization: `Bearer ${own}` }
  const invalid = [401, `${realm}, error="invalid_token"`]
  t.deepEqual(await ask({ headers: bearer }), invalid, 'its audience is another service')
  t.deepEqual(await ask({ headers: { authorization: 'Bearer x.y.z' } }), invalid)
  const twice = {
    method: 'POST',
    headers: bearer,
    body: new URLSearchParams({ access_token: own }),
  }
  t.deepEqual(await ask(twice), [400, `${realm}, error="invalid_request"`])
  const { access_token: machine } = (await server.clientCredentials()).body
  t.deepEqual(await ask({ headers: { authorization: `Bearer ${machine}` } }), invalid, 'no person')
  t.is((await app.userinfo('')).status, 401)
})
