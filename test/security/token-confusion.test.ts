import { createHmac, randomBytes } from 'node:crypto'
import test from 'ava'
import { forge, rsa } from '../support/clients/forge.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { areNoTokens, victimOf } from '../support/people/victim.ts'
import { startServer } from '../support/server/start-server.ts'

const refused = { error: 'invalid_grant' }

test('RFC 8725 §3.12: an access token refreshes nothing', async (t) => {
  const victim = await victimOf(t)
  const { server, token, header, claims, privateKey } = victim
  const [, payload] = token.split('.')
  const typed = forge({ ...header, typ: 'rt+jwt' }, claims, rsa(privateKey))
  for (const wrong of [token, typed, `srt_${token}`, `srt_${payload}`, String(claims.sid)]) {
    isOAuthError(t, await server.refresh(wrong), wrong.slice(0, 20), refused)
  }
  t.is((await server.refresh(victim.refreshToken)).status, 200)
})

test('RFC 9700 §4.14.2: a refresh token that was altered in any part is none, and ends nothing', async (t) => {
  const victim = await victimOf(t)
  const { server, refreshToken, claims } = victim
  const bytes = Buffer.from(refreshToken.slice(4), 'base64url')
  const altered: Record<string, string> = {}
  for (let at = 0; at < bytes.length; at += 1) {
    const copy = Buffer.from(bytes)
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
    altered[`byte ${at}`] = `srt_${copy.toString('base64url')}`
  }
  const zeros = Buffer.alloc(32)
  const content = bytes.subarray(0, -32)
  const guess = (key: string | Buffer) => createHmac('sha256', key).update(content).digest()
  const make = (...parts: Buffer[]) => `srt_${Buffer.concat(parts).toString('base64url')}`
  Object.assign(altered, {
    'a MAC of zeros': make(content, zeros),
    'a MAC with an empty key': make(content, guess('')),
    'a MAC with a key of zeros': make(content, guess(zeros)),
    'a MAC with the sid': make(content, guess(String(claims.sid))),
    'no MAC': make(content),
    'half a MAC': make(bytes.subarray(0, -16)),
    'a byte more': make(bytes, Buffer.alloc(1)),
    twice: make(bytes, bytes),
    'at random': make(randomBytes(bytes.length)),
    padding: `${refreshToken}=`,
    'a space': `${refreshToken} `,
    'a line break': `${refreshToken}\n`,
    'a letter more': `${refreshToken}A`,
    'a letter less': refreshToken.slice(0, -1),
    'no prefix': refreshToken.slice(4),
    'the prefix in capitals': refreshToken.replace('srt_', 'SRT_'),
    'the prefix twice': `srt_${refreshToken}`,
    'the prefix alone': 'srt_',
    'in capitals': refreshToken.toUpperCase(),
  })
  for (const [name, token] of Object.entries(altered)) {
    isOAuthError(t, await server.refresh(token), name, refused)
  }
  await areNoTokens(t, victim, altered)
  const next = await server.refresh(refreshToken)
  t.is(next.status, 200, 'the session goes on')
})

test('RFC 6749 §10.4: a refresh token of another installation is none here', async (t) => {
  const [here, there] = await Promise.all([victimOf(t), victimOf(t)])
  // Copies of one template share everything but what is made at sign-in.
  isOAuthError(t, await here.server.refresh(there.refreshToken), 'refresh', refused)
  await areNoTokens(t, here, {
    'a refresh token': there.refreshToken,
    'an access token': there.token,
  })
})

test('RFC 6749 §10.10: refresh tokens hold 128 random bits at least', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const answers = await Promise.all(Array.from({ length: 12 }, () => server.signIn()))
  const tokens = answers.map(({ body }) => Buffer.from(body.refresh_token.slice(4), 'base64url'))
  const [seeds, macs] = [(b: Buffer) => b.subarray(20, 36), (b: Buffer) => b.subarray(36)]
  for (const part of [seeds, macs]) {
    t.is(new Set(tokens.map((token) => part(token).toString('hex'))).size, tokens.length)
  }
  t.deepEqual([...new Set(tokens.map((token) => token.length))], [68])
})

test('RFC 7662 §2.1: a refresh token says what it is, and is found whatever the hint says', async (t) => {
  const { server, token, refreshToken } = await victimOf(t)
  for (const hint of ['access_token', 'refresh_token', 'id_token', 'x', '']) {
    const form = { token_type_hint: hint }
    const access = await server.post('/oauth/introspect', { token, ...form })
    const refresh = await server.post('/oauth/introspect', { token: refreshToken, ...form })
    t.like(access.body, { active: true, token_type: 'Bearer' }, hint)
    t.like(refresh.body, { active: true, token_type: 'refresh_token' }, hint)
  }
})
