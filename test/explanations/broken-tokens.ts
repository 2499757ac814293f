import { generateKeyPairSync } from 'node:crypto'
import { encodePart, forge, hmac, pss, rsa, unsigned } from '../support/clients/forge.ts'
import type { Victim } from '../support/people/victim.ts'
import type { Case } from './explainer.ts'

/** Access tokens with one defect each, which the token itself shows; `now` in seconds. */
export function brokenTokens(
  { token, header, claims, privateKey }: Victim,
  now: number,
): readonly Case[] {
  const [head = '', body = '', signature = ''] = token.split('.')
  const thief = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const own = rsa(privateKey)
  const headed = (more: object) => forge({ ...header, ...more }, claims, own)
  const claiming = (more: object) => forge(header, { ...claims, ...more }, own)
  const without = (name: string) =>
    forge(header, { ...claims, [name]: undefined } as Record<string, unknown>, own)
  const { typ: _typ, ...untyped } = header
  const { alg: _alg, ...unnamed } = header
  const { kid: _kid, ...keyless } = header
  const last = signature.at(-1) ?? ''
  const sibling = String.fromCharCode(last.charCodeAt(0) + 1)
  return [
    ['cut after two parts', `${head}.${body}`, 'form', /three parts/],
    ['cut within the claims', token.slice(0, head.length + 20), 'form', /three parts/],
    ['a part too many', `${token}.${signature}`, 'form', /three parts/],
    ['padding', `${token}==`, 'form', /three parts/],
    ['its scheme before it', `Bearer ${token}`, 'form', /three parts/],
    ['a line break', `${head}.\n${body}.${signature}`, 'form', /three parts/],
    ['another spelling', `${token.slice(0, -1)}${sibling}`, 'form', /spelled canonically/],
    ['alg none', forge({ ...header, alg: 'none' }, claims, unsigned), 'form', /three parts/],
    ['alg none, signed', headed({ alg: 'none' }), 'algorithm', /it is "none"/],
    ['HS256', forge({ ...header, alg: 'HS256' }, claims, hmac('key')), 'algorithm', /"HS256"/],
    ['PS256', forge({ ...header, alg: 'PS256' }, claims, pss(privateKey)), 'algorithm', /"PS256"/],
    ['no alg', forge(unnamed, claims, own), 'algorithm', /no alg/],
    ['a key in the header', headed({ jwk: {} }), 'header', /jwk/],
    ['an address in the header', headed({ jku: 'https://evil.example' }), 'header', /jku/],
    ['an extension', headed({ crit: ['x'], x: 1 }), 'header', /crit/],
    ['a header that is no JSON', forge('{', claims, own), 'header', /header/],
    ['no kid', forge(keyless, claims, own), 'key', /no key of this installation/],
    ['an unknown kid', headed({ kid: 'elsewhere' }), 'key', /the kid "elsewhere"/],
    ['a foreign key', forge(header, claims, rsa(thief)), 'signature', /another key/],
    [
      'changed claims',
      `${head}.${encodePart({ ...claims, scope: 'admin' })}.${signature}`,
      'signature',
      /changed/,
    ],
    ['RS512', forge(header, claims, rsa(privateKey, 'sha512')), 'signature', /changed/],
    ['a logout token', headed({ typ: 'logout+jwt' }), 'type', /"logout\+jwt"/],
    ['no typ', forge(untyped, claims, own), 'type', /typ is another one/],
    ['another issuer', claiming({ iss: 'https://evil.example' }), 'issuer', /"https:\/\/evil/],
    ['a slash too many', claiming({ iss: `${claims.iss}/` }), 'issuer', /instead of/],
    ['no issuer', without('iss'), 'issuer', /missing/],
    [
      'expired',
      claiming({ exp: now - 300, iat: now - 600 }),
      'time',
      /expired .*, \d+ min ago; it is/,
    ],
    ['not yet valid', claiming({ nbf: now + 600 }), 'time', /valid from .*\(nbf\)/],
    ['no jti', without('jti'), 'claims', /jti/],
    ['no client', without('client_id'), 'claims', /client_id/],
    ['no expiry', without('exp'), 'claims', /exp/],
    ['exp as text', claiming({ exp: String(now + 60) }), 'claims', /exp/],
    ['no audience', claiming({ aud: [] }), 'claims', /aud/],
    ['a list of scopes', claiming({ scope: ['read'] }), 'claims', /scope/],
    ['a session that is none', claiming({ sid: 'x' }), 'claims', /sid/],
    ['a session of no person', claiming({ sub: 'app' }), 'claims', /sub/],
    ['claims that are no JSON', forge(header, '[', own), 'claims', /JSON/],
  ]
}
