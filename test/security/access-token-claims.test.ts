import test from 'ava'
import { invoices } from '../../tools/fixtures.ts'
import { forge, rsa } from '../support/clients/forge.ts'
import { areNoTokens, victimOf } from '../support/people/victim.ts'

test('RFC 9068 §4: even signed by the genuine key, claims have to be all there and sound', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey, server } = victim
  const now = Math.floor(server.clock.now().getTime() / 1000)
  const { issuer } = server.app
  const wrong: Record<string, unknown[]> = {
    iss: [
      undefined,
      null,
      '',
      `${issuer}/`,
      'https://evil.example',
      issuer.toUpperCase(),
      [issuer],
      1,
    ],
    sub: [undefined, null, '', 1, [], {}, "' OR '1'='1", 'app'],
    aud: [undefined, null, '', 1, {}, [], [1], ['']],
    exp: [
      undefined,
      null,
      '',
      String(now + 900),
      now,
      now - 1,
      0,
      -1,
      [now + 900],
      true,
      now + 0.5,
    ],
    iat: [undefined, null, String(now), true],
    nbf: [now + 300, String(now), null, true],
    jti: [undefined, null, '', 1, [], {}, 'a\0b', '*'],
    client_id: [undefined, null, '', 1, ['app'], {}, 'a\0b'],
    scope: [1, [], ['read'], {}],
    sid: [1, null, [], ''],
  }
  const forgeries: Record<string, string> = {}
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const token = forge(header, { ...claims, [name]: value }, rsa(privateKey))
      forgeries[`${name} ${JSON.stringify(value)}`] = token
    }
  }
  for (const payload of [
    '',
    '{',
    'null',
    '[]',
    '"x"',
    '1',
    'true',
    `[${JSON.stringify(claims)}]`,
  ]) {
    forgeries[`the payload ${payload.slice(0, 20)}`] = forge(header, payload, rsa(privateKey))
  }
  const text = JSON.stringify(claims)
  forgeries['UTF-16'] = forge(header, Buffer.from(text, 'utf16le'), rsa(privateKey))
  forgeries['invalid UTF-8'] = forge(
    header,
    Buffer.from(text.replace('read', 're\u00e9d'), 'latin1'),
    rsa(privateKey),
  )
  forgeries['exp beyond all numbers'] = forge(
    header,
    text.replace(/"exp":\d+/, '"exp":1e999'),
    rsa(privateKey),
  )
  await areNoTokens(t, victim, forgeries)
})

test('RFC 7519 §4: of a claim that comes twice the last one counts, for good and for bad', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const text = JSON.stringify(claims)
  const twice = (first: string, last: string) =>
    forge(header, `{${first},${text.slice(1, -1)},${last}}`, rsa(privateKey))
  await areNoTokens(t, victim, {
    'exp in the past last': twice('"exp":9999999999', '"exp":1'),
    'another issuer last': twice('"x":1', '"iss":"https://evil.example"'),
    'an escaped name': twice('"x":1', '"\\u0069ss":"https://evil.example"'),
    'another header last': forge(
      JSON.stringify(header).replace('{', '{"alg":"RS256",').replace(/}$/, ',"alg":"none"}'),
      claims,
      rsa(privateKey),
    ),
  })
  const told = await victim.server.introspect(twice('"exp":1,"iss":"evil","aud":"evil"', '"y":1'))
  t.like(told.body, { active: true, exp: claims.exp, iss: claims.iss, aud: claims.aud })
})

test('ASVS 9.2.1: a token ends to the second', async (t) => {
  const victim = await victimOf(t)
  const { server, token, claims } = victim
  server.clock.advance({ seconds: Number(claims.exp) - Number(claims.iat) - 30 })
  t.true((await server.introspect(token)).body.active)
  server.clock.advance({ seconds: 30 })
  t.is((await server.introspect(token)).text, '{"active":false}')
})

test('prototype names in claims are claims and nothing more', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey, server } = victim
  const text = JSON.stringify({ ...claims, aud: invoices })
  const payload = `${text.slice(0, -1)},"__proto__":{"active":false,"admin":true},"constructor":1}`
  const { status, body } = await server.introspect(forge(header, payload, rsa(privateKey)))
  t.is(status, 200)
  t.like(body, { active: true, aud: invoices })
  t.is(({} as { admin?: boolean }).admin, undefined)
  const missing = forge(header, '{"__proto__":{"sub":"x","aud":"x","jti":"x"}}', rsa(privateKey))
  await areNoTokens(t, victim, { 'claims by inheritance': missing })
})

test('RFC 9068 §4: a signed token with odd claims is 401 at the JSON API', async (t) => {
  const { header, claims, privateKey, server } = await victimOf(t)
  for (const odd of [{ sub: "' OR '1'='1" }, { jti: 'a\0b' }, { client_id: 'a\0b' }]) {
    const token = forge(header, { ...claims, ...odd }, rsa(privateKey))
    const headers = { authorization: `Bearer ${token}` }
    const answer = await server.get('/api/v1/auth/me', headers)
    t.is(answer.status, 401, answer.text)
  }
})
