import test from 'ava'
import { challengeOf, isCodeChallenge } from '../../src/oauth/pkce.ts'

const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

test('RFC 7636 appendix B: the verifier → its challenge', (t) => {
  t.is(challengeOf(verifier), challenge)
  t.true(isCodeChallenge(challenge))
})

test('no verifier → no challenge, which equals that of a request without one only', (t) => {
  t.is(challengeOf(undefined), undefined)
})

test('RFC 7636 §4.1: a verifier of 43 to 128 unreserved characters → its challenge', (t) => {
  for (const text of ['a'.repeat(43), 'Z'.repeat(128), `${'0'.repeat(39)}-._~`]) {
    t.regex(challengeOf(text) ?? '', /^[\w-]{43}$/, text)
  }
})

test('a verifier outside of RFC 7636 §4.1 → no challenge that a request could have', (t) => {
  const wrong = [
    '',
    'a'.repeat(42),
    'a'.repeat(129),
    `${verifier}+`,
    `${verifier} `,
    `${verifier}\n`,
  ]
  for (const text of [...wrong, `${verifier}=`, 'ü'.repeat(43), 'malformed']) {
    const computed = challengeOf(text)
    t.true(computed !== undefined, text)
    t.false(isCodeChallenge(computed ?? ''), text)
  }
})

test('RFC 7636 §4.2: anything but a SHA-256 in base64url → no challenge', (t) => {
  const wrong = ['', challenge.slice(1), `${challenge}=`, `${challenge}a`, `${challenge}\n`]
  for (const text of [...wrong, challenge.replace('-', '+'), ` ${challenge.slice(1)}`]) {
    t.false(isCodeChallenge(text), JSON.stringify(text))
  }
})
