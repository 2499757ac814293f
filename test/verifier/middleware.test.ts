// Alone: its hooks would run for the tests of other files.
import test, { type ExecutionContext } from 'ava'
import type { Refusal } from '../../src/verifier/challenge.ts'
import type { GuardOptions } from '../../src/verifier/guards.ts'
import { signet } from '../../src/verifier/koa.ts'
import { startTestIssuer, type TestIssuer } from '../../src/verifier/testing.ts'
import { createVerifier, VerificationError, type Verifier } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { frameworks, type Service } from './middleware-frameworks.ts'

let issuer: TestIssuer
let verifier: Verifier

test.before(async () => {
  issuer = await startTestIssuer()
  verifier = createVerifier({ issuer: issuer.issuer, audience: issuer.audience })
})
test.after.always(async () => {
  await verifier.close()
  await issuer.close()
})

type Verify = Pick<Verifier, 'verify'>

/** The same guarantee in every framework. */
function everywhere(
  guarantee: string,
  check: (
    t: ExecutionContext,
    start: (verifier?: Verify, options?: GuardOptions) => Promise<Service>,
  ) => Promise<void>,
): void {
  for (const [name, start] of Object.entries(frameworks)) {
    test(`${name}: ${guarantee}`, (t) =>
      check(t, async (ofTest = verifier, options = {}) => {
        const service = await start(ofTest, options)
        t.teardown(() => service.close())
        return service
      }))
  }
}

async function ask(service: Service, path: string, token?: string) {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  const response = await fetch(service.url + path, { headers })
  const text = await response.text()
  const { status } = response
  const challenge = response.headers.get('www-authenticate')
  return { status, headers: response.headers, challenge, text, body: text && JSON.parse(text) }
}

everywhere('a valid token → admitted, with its claims in `user`', async (t, start) => {
  const service = await start()
  const token = await issuer.token({ sub: 'ann', scope: 'reports:read x reports:write' })
  t.like(await ask(service, '/user', token), { status: 200, body: { sub: 'ann' } })
  t.like(await ask(service, '/optional', token), { status: 200, body: { sub: 'ann' } })
  t.like(await ask(service, '/scope', token), { status: 200, body: { sub: 'ann' } })
})

everywhere('RFC 6750 §3.1: no token → a challenge without an error', async (t, start) => {
  const service = await start(verifier, { realm: 'reports' })
  for (const path of ['/user', '/scope', '/role', '/all']) {
    const answer = await ask(service, path)
    t.is(answer.status, 401, path)
    t.is(answer.challenge, 'Bearer realm="reports"', path)
    t.is(answer.headers.get('content-type'), 'application/json; charset=utf-8')
    t.is(answer.headers.get('cache-control'), 'no-store')
    t.deepEqual(answer.body, {
      error: 'unauthorized',
      error_description: 'an access token is required',
    })
  }
})

everywhere(
  'optionalUser → admits requests without a token, refuses invalid ones',
  async (t, start) => {
    const service = await start()
    t.like(await ask(service, '/optional'), { status: 200, body: { sub: null } })
    const forAnother = await issuer.token({ aud: 'https://another.example' })
    for (const bad of ['x', forAnother, await issuer.token({ exp: 1 })]) {
      const answer = await ask(service, '/optional', bad)
      t.is(answer.status, 401)
      t.is(answer.challenge, 'Bearer realm="api", error="invalid_token"')
    }
  },
)

everywhere('RFC 9068 §4: invalid tokens → invalid_token without the reason', async (t, start) => {
  const told: Refusal[] = []
  const service = await start(verifier, { onRefusal: (refusal) => told.push(refusal) })
  const revoked = await issuer.token()
  await verifier.verify(revoked)
  await issuer.revoke(revoked)
  const isRefused = async () => (await verifier.verify(revoked).catch(() => false)) === false
  await eventually(isRefused, 'the verifier knows of the revocation')
  const bad = {
    token_revoked: revoked,
    audience_mismatch: await issuer.token({ aud: 'https://another.example' }),
    issuer_mismatch: await issuer.token({ iss: 'https://another.example' }),
    claim_missing: await issuer.token({ client_id: undefined }),
    signature_invalid: `${(await issuer.token()).slice(0, -8)}AAAAAAAA`,
    token_malformed: 'A'.repeat(10_000),
  }
  const answers = new Set<string>()
  for (const token of Object.values(bad)) {
    const { status, challenge, text } = await ask(service, '/user', token)
    answers.add(JSON.stringify({ status, challenge, text }))
  }
  t.is(answers.size, 1, [...answers].join('\n'))
  t.regex([...answers].join(), /401.*invalid_token/)
  t.deepEqual(
    told.map(({ reason }) => reason),
    Object.keys(bad) as Refusal['reason'][],
  )
  const expired = await ask(service, '/user', await issuer.token({ exp: 1_000_000 }))
  t.is(expired.status, 401)
  t.is(expired.body.error_description, 'the access token has expired')
})

everywhere(
  'RFC 6750 §3.1: a missing scope → insufficient_scope with all required scopes',
  async (t, start) => {
    const service = await start()
    const scopes = ['', 'reports:read', 'reports:writereports:read', 'REPORTS:READ REPORTS:WRITE']
    for (const scope of scopes) {
      const answer = await ask(service, '/scope', await issuer.token({ scope }))
      t.is(answer.status, 403, scope)
      t.is(
        answer.challenge,
        'Bearer realm="api", error="insufficient_scope", scope="reports:read reports:write"',
      )
      t.is(answer.body.error, 'insufficient_scope')
    }
    t.is((await ask(service, '/scope', await issuer.token({ scope: undefined }))).status, 403)
  },
)

everywhere(
  'requireRole → one of the roles is enough, a part of a name is not',
  async (t, start) => {
    const service = await start()
    const withRoles = async (roles?: string[]) =>
      ask(service, '/role', await issuer.token({ roles }))
    t.is((await withRoles(['x', 'auditor'])).status, 200)
    for (const roles of [undefined, [], ['adm'], ['administrator'], ['admin,auditor']]) {
      const answer = await withRoles(roles)
      t.is(answer.status, 403, String(roles))
      t.is(answer.challenge, 'Bearer realm="api", error="insufficient_scope"')
      t.is(answer.body.error_description, 'the access token lacks a required role')
    }
  },
)

everywhere('several guards → a request is verified once, by the first one', async (t, start) => {
  let count = 0
  const counting: Verify = {
    verify(token) {
      count += 1
      return verifier.verify(token)
    },
  }
  const service = await start(counting)
  const token = await issuer.token({ scope: 'read', roles: ['a'] })
  t.is((await ask(service, '/all', token)).status, 200)
  t.is(count, 1, 'four guards')
  t.is((await ask(service, '/all', token)).status, 200)
  t.is(count, 2, 'another request')
})

everywhere('a verifier that cannot decide → 503 instead of 401', async (t, start) => {
  for (const code of ['keys_unavailable', 'revocations_stale'] as const) {
    const service = await start({
      verify: () => Promise.reject(new VerificationError(code, 'away')),
    })
    for (const path of ['/user', '/optional']) {
      const answer = await ask(service, path, 'x')
      t.is(answer.status, 503)
      t.is(answer.headers.get('retry-after'), '5')
      t.is(answer.challenge, null)
      t.is(answer.body.error, 'temporarily_unavailable')
    }
  }
})

everywhere('an unexpected error → passed to the framework, and not admitted', async (t, start) => {
  // Express takes the last two for "continue" and "skip the other handlers".
  for (const mistake of [new Error('a bug'), undefined, 'route']) {
    const service = await start({ verify: () => Promise.reject(mistake) })
    for (const path of ['/user', '/optional', '/scope', '/all']) {
      const { status } = await fetch(service.url + path, { headers: { authorization: 'Bearer x' } })
      t.true(status >= 404, `${path}: ${status}`)
    }
    if (mistake instanceof Error) {
      t.is(service.errors.length, 4)
      t.true(service.errors.every((error) => error === mistake))
    }
  }
  const service = await start(verifier, {
    onRefusal() {
      throw 'route'
    },
  })
  t.is((await fetch(`${service.url}/user`)).status, 500)
  service.errors.length = 0
  const headers = { authorization: `Bearer ${await issuer.token()}` }
  t.is((await fetch(`${service.url}/throw`, { headers })).status, 500)
  t.is((service.errors[0] as Error).message, 'a mistake of the handler')
})

const malformed: readonly string[] = [
  '',
  'Bearer',
  'Bearer ',
  'Bearer a b',
  'Bearer\tTOKEN',
  'Bearer TOKEN, Basic YTpi',
  'Bearer "><script>evil</script>',
  'Bearer evil", error="none',
  'Bearer evil\\',
  'Bearer =evil',
  'Bearer \xe4vil',
  '"evil" TOKEN',
  'Bearer,TOKEN',
]

everywhere(
  'RFC 6750 §2, §3.1: malformed credentials → 400 without any of their bytes',
  async (t, start) => {
    const service = await start()
    const token = await issuer.token()
    for (const path of ['/user', '/optional']) {
      for (const value of malformed) {
        const authorization = value.replace('TOKEN', token)
        const head = rawRequest('GET', path, { authorization })
        const answer = await sendRaw(service.url, Buffer.from(head, 'latin1'))
        t.is(answer.status, 400, value)
        t.is(answer.headers.get('www-authenticate'), 'Bearer realm="api", error="invalid_request"')
        t.is(JSON.parse(answer.body).error, 'invalid_request')
        t.notRegex(answer.text, /vil|<|TOKEN/)
      }
      const bearer = `Bearer ${token}`
      for (const [first, second] of [
        [bearer, bearer],
        [bearer, 'Basic YTpi'],
        ['', bearer],
      ]) {
        const headers = { Authorization: first as string, authorization: second as string }
        const answer = await sendRaw(service.url, rawRequest('GET', path, headers))
        t.is(answer.status, 400, `two headers, second of ${(second as string).slice(0, 6)}`)
      }
    }
  },
)

everywhere(
  'RFC 6750 §2: the scheme → case-insensitive; tokens elsewhere are ignored',
  async (t, start) => {
    const service = await start()
    const token = await issuer.token()
    const statusOf = async (target: string, headers = {}) =>
      (await sendRaw(service.url, rawRequest('GET', target, headers))).status
    for (const scheme of ['bearer', 'BEARER', 'BeArEr', 'Bearer ']) {
      t.is(await statusOf('/user', { authorization: `${scheme} ${token}` }), 200, scheme)
    }
    t.is(await statusOf(`/user?access_token=${token}`), 401)
    t.is(await statusOf('/user', { cookie: `access_token=${token}` }), 401)
    t.is(await statusOf('/user', { 'proxy-authorization': `Bearer ${token}` }), 401)
    for (const authorization of ['Basic YTpi', `DPoP ${token}`, `Bearers ${token}`]) {
      t.is(await statusOf('/user', { authorization }), 401, authorization)
      t.is(await statusOf('/optional', { authorization }), 200, authorization)
    }
  },
)

test('a guard that would admit every request or break its challenge → TypeError', (t) => {
  const { requireScope, requireRole } = signet(verifier)
  const wrong = { instanceOf: TypeError }
  t.throws(() => requireScope(), wrong)
  t.throws(() => requireRole(), wrong)
  for (const scope of ['', 'a b', 'a"b', 'a\\b', 'a\r\nb', 'ä']) {
    t.throws(() => requireScope('read', scope), wrong, scope)
  }
  for (const realm of ['', 'a "quoted" one', 'a\\b', 'a\r\nb', 'ä']) {
    t.throws(() => signet(verifier, { realm }), wrong, realm)
  }
})
