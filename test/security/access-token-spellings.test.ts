import test from 'ava'
import { areNoTokens, victimOf } from '../support/people/victim.ts'

test('RFC 7515 §2: a token has one spelling, letter for letter', async (t) => {
  const victim = await victimOf(t)
  const { token } = victim
  const [header = '', payload = '', signature = ''] = token.split('.')
  const last = signature.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const forgeries: Record<string, string> = {
    'padding at the end': `${token}==`,
    'padding everywhere': `${header}=.${payload}=.${signature}=`,
    'standard base64': `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
    'a space before': ` ${token}`,
    'a space after': `${token} `,
    'a line break after': `${token}\n`,
    'a line break inside': `${header}.\n${payload}.${signature}`,
    'a tab inside': `${header}.${payload.slice(0, 8)}\t${payload.slice(8)}.${signature}`,
    'a zero-width space': `${token}\u200b`,
    'a byte order mark': `\ufeff${token}`,
    'a dot before': `.${token}`,
    'a dot after': `${token}.`,
    'two dots': `${header}..${payload}.${signature}`,
    'an empty payload': `${header}..${signature}`,
    'no signature': `${header}.${payload}.`,
    'no signature and no dot': `${header}.${payload}`,
    'a fourth part': `${token}.${signature}`,
    'parts in another order': `${payload}.${header}.${signature}`,
    'percent-encoded': [...token].map((c) => `%${c.charCodeAt(0).toString(16)}`).join(''),
    'in capitals': token.toUpperCase(),
    'its signature alone': signature,
    dots: '..',
    garbage: 'x',
    'long garbage': `${'a'.repeat(4000)}.${'b'.repeat(4000)}.${'c'.repeat(4000)}`,
  }
  for (const other of alphabet) {
    if (other !== last) forgeries[`ends in ${other}`] = token.slice(0, -1) + other
  }
  await areNoTokens(t, victim, forgeries)
})

test('RFC 8725 §3.3: a token that was cut or changed anywhere is none', async (t) => {
  const victim = await victimOf(t)
  const { token } = victim
  const forgeries: Record<string, string> = {}
  for (let at = 0; at < token.length; at += 17) {
    const letter = token[at] === 'A' ? 'B' : 'A'
    forgeries[`another letter at ${at}`] = token.slice(0, at) + letter + token.slice(at + 1)
    forgeries[`a letter less at ${at}`] = token.slice(0, at) + token.slice(at + 1)
    forgeries[`a letter more at ${at}`] = token.slice(0, at) + letter + token.slice(at)
    if (at > 0) forgeries[`cut at ${at}`] = token.slice(0, at)
  }
  await areNoTokens(t, victim, forgeries)
})

test('RFC 8725 §3.3: parts of two genuine tokens make no third', async (t) => {
  const victim = await victimOf(t)
  const other = await victim.server.clientCredentials()
  const [header, payload, signature] = victim.token.split('.')
  const [, otherPayload, otherSignature] = other.body.access_token.split('.')
  await areNoTokens(t, victim, {
    'the claims of the other': `${header}.${otherPayload}.${signature}`,
    'the signature of the other': `${header}.${payload}.${otherSignature}`,
  })
  t.true((await victim.server.introspect(other.body.access_token)).body.active)
})
