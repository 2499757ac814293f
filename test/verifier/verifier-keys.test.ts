import type { ServerResponse } from 'node:http'
import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { silentListener } from '../support/clients/forge.ts'
import { json, newKey, outcome, startIssuer, verifierOf } from './evil-issuer.ts'

const withoutFeed = { revocations: false } as const

test('RFC 8414 §3.1: an issuer with a path → the well-known part is between host and path', async (t) => {
  const places = [
    ['', '/.well-known/oauth-authorization-server'],
    ['/', '/.well-known/oauth-authorization-server'],
    ['/tenant/a', '/.well-known/oauth-authorization-server/tenant/a'],
    ['/tenant/', '/.well-known/oauth-authorization-server/tenant'],
  ] as const
  for (const [path, expected] of places) {
    const issuer = await startIssuer(t, { path })
    const verifier = verifierOf(t, issuer)
    t.is(await outcome(verifier, issuer.token()), 'accepted', path)
    t.is(issuer.calls[0], expected)
  }
})

test('RFC 8414 §3.3: metadata of another issuer, or that lead away from TLS → rejected', async (t) => {
  const issuer = await startIssuer(t, { path: '/tenant' })
  const listener = await silentListener(t)
  const { origin } = issuer
  const upper = issuer.issuer.replace('tenant', 'Tenant')
  const issuers = [origin, `${issuer.issuer}/`, upper, listener.url, '', null, [issuer.issuer]]
  const elsewhere = [null, '', 7, '/keys', 'http://keys.example/', 'file:///etc/passwd', 'data:,x']
  const lies: object[] = [
    ...issuers.map((other) => ({ issuer: other, jwks_uri: listener.url })),
    { issuer: undefined, jwks_uri: listener.url },
    ...elsewhere.map((jwks_uri) => ({ jwks_uri })),
    { jwks_uri: undefined },
    { jwks_uri: listener.url.replace('//', '//a:b@') },
    ...elsewhere.map((revocations_uri) => ({ jwks_uri: listener.url, revocations_uri })),
  ]
  for (const lie of lies) {
    issuer.answers.metadata = (_request, response) => json(response, issuer.metadataOf({ ...lie }))
    const verifier = verifierOf(t, issuer)
    t.is(await outcome(verifier, issuer.token()), 'keys_unavailable', JSON.stringify(lie))
    t.like(verifier.events[0], { type: 'problem', about: 'discovery' })
  }
  t.deepEqual(listener.calls, [])
  t.is(issuer.count('/keys'), 0)
})

test('a redirect anywhere → not followed', async (t) => {
  const issuer = await startIssuer(t)
  const listener = await silentListener(t)
  for (const place of ['metadata', 'keys'] as const) {
    for (const status of [301, 302, 303, 307, 308]) {
      issuer.answers[place] = (_request, response) => {
        response.writeHead(status, { location: listener.url }).end()
      }
      const verifier = verifierOf(t, issuer)
      t.is(await outcome(verifier, issuer.token()), 'keys_unavailable', `${place} ${status}`)
    }
    delete issuer.answers[place]
  }
  t.deepEqual(listener.calls, [])
})

test('a hundred concurrent first tokens → one request each for metadata, keys and list', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const outcomes = Array.from({ length: 100 }, () => outcome(verifier, issuer.token()))
  t.deepEqual(new Set(await Promise.all(outcomes)), new Set(['accepted']))
  const full = issuer.calls.filter((call) => call.endsWith('/feed?part=0'))
  t.deepEqual([issuer.count('well-known'), issuer.count('/keys'), full.length], [1, 1, 1])
})

test('RFC 9111 §4.2: stale keys → refetched in the background', async (t) => {
  const ages: [string | undefined, number][] = [
    ['public, max-age=120', 120],
    ['max-age=999999', 300],
    ['max-age=0', 5],
    ['no-store', 5],
    ['s-maxage=1', 300],
    [undefined, 300],
  ]
  for (const [maxAge, seconds] of ages) {
    const issuer = await startIssuer(t)
    issuer.maxAge = maxAge
    const verifier = verifierOf(t, issuer, withoutFeed)
    const token = issuer.token()
    await verifier.verify(token)
    issuer.advance(seconds)
    await verifier.verify(token)
    t.is(issuer.count('/keys'), 1, `${maxAge}: fresh for ${seconds} s`)
    const held: ServerResponse[] = []
    issuer.answers.keys = (_request, response) => held.push(response)
    issuer.advance(1)
    for (let n = 0; n < 5; n++) t.is(await outcome(verifier, issuer.token()), 'accepted')
    await eventually(() => held.length > 0, 'they are asked for in the background')
    t.is(issuer.count('/keys'), 2, `${maxAge}: once, and no longer`)
    for (const response of held) json(response, issuer.jwks())
  }
})

test('RFC 9111 §5.1: an Age header → counts towards the age of keys', async (t) => {
  const issuer = await startIssuer(t)
  issuer.answers.keys = (request, response, url) => {
    response.setHeader('age', '200')
    issuer.keys(request, response, url)
  }
  const verifier = verifierOf(t, issuer, withoutFeed)
  await verifier.verify(issuer.token())
  issuer.advance(100)
  await verifier.verify(issuer.token())
  t.is(issuer.count('/keys'), 1)
  issuer.advance(1)
  await verifier.verify(issuer.token())
  await eventually(() => issuer.count('/keys') === 2, 'after a hundred seconds')
})

test('an unreachable issuer → known keys are used for a day and not longer', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  await verifier.ready()
  const attempts = () => issuer.count('well-known') + issuer.count('/keys')
  issuer.answers.keys = (_request, response) => response.writeHead(503).end()
  issuer.answers.metadata = issuer.answers.keys
  for (let minutes = 0; minutes < 24 * 60; minutes += 60) {
    t.is(await outcome(verifier, issuer.token()), 'accepted', `after ${minutes} min`)
    issuer.advance(3600)
  }
  issuer.advance(1)
  const before = attempts()
  for (let n = 0; n < 20; n++) t.is(await outcome(verifier, issuer.token()), 'keys_unavailable')
  t.true(attempts() - before <= 2, 'nor is it stormed meanwhile')
  delete issuer.answers.keys
  delete issuer.answers.metadata
  issuer.advance(10)
  t.is(await outcome(verifier, issuer.token()), 'accepted', 'and then all is well again')
})

test('an hour without tokens → keys are refetched before a token is accepted', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  const leaked = issuer.signer
  const token = issuer.token({ exp: issuer.seconds + 7200 })
  t.is(await outcome(verifier, token), 'accepted')
  issuer.signer = newKey()
  issuer.published = [issuer.signer]
  issuer.advance(3600)
  t.is(await outcome(verifier, token), 'key_unknown', `${leaked.kid} was withdrawn`)
  t.is(await outcome(verifier, issuer.token()), 'accepted')
})

test('a cached token whose key is unpublished → rejected', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  const token = issuer.token()
  t.is(await outcome(verifier, token), 'accepted')
  const other = newKey()
  issuer.published = [other]
  issuer.advance(301)
  await eventually(
    async () => (await outcome(verifier, token)) === 'key_unknown',
    'it is withdrawn',
  )
  // The same name for another key is another key.
  issuer.published = [{ ...other, kid: issuer.signer.kid }]
  issuer.advance(301)
  await eventually(
    async () => (await outcome(verifier, token)) === 'signature_invalid',
    'another key has its name',
  )
  t.is(await outcome(verifier, issuer.token()), 'signature_invalid')
})

test('a flood of made-up kids → one request per cooldown, and valid tokens are accepted', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  await verifier.ready()
  const flood = async (name: string) => {
    const tokens = Array.from({ length: 200 }, (_, n) => issuer.token({}, { kid: `${name} ${n}` }))
    const codes = await Promise.all(tokens.map((token) => outcome(verifier, token)))
    t.deepEqual(new Set(codes), new Set(['key_unknown']))
    for (const token of tokens.slice(0, 20)) t.is(await outcome(verifier, token), 'key_unknown')
    t.is(await outcome(verifier, issuer.token()), 'accepted')
  }
  await flood('at once')
  t.is(issuer.count('/keys'), 2)
  issuer.advance(29)
  await flood('within the cooldown')
  t.is(issuer.count('/keys'), 2)
  issuer.advance(1)
  await flood('after the cooldown')
  t.is(issuer.count('/keys'), 3)
  t.is(issuer.count('well-known'), 1)
})

test('a new key → found immediately, during a flood after the cooldown', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  const before = issuer.token()
  t.is(await outcome(verifier, before), 'accepted')
  issuer.signer = newKey()
  issuer.published.push(issuer.signer)
  const codes = Array.from({ length: 20 }, () => outcome(verifier, issuer.token()))
  t.deepEqual(new Set(await Promise.all(codes)), new Set(['accepted']))
  t.is(issuer.count('/keys'), 2)
  t.is(await outcome(verifier, before), 'accepted', 'the one before stays')

  issuer.advance(31)
  t.is(await outcome(verifier, issuer.token({}, { kid: 'made up' })), 'key_unknown')
  issuer.signer = newKey()
  issuer.published.push(issuer.signer)
  t.is(await outcome(verifier, issuer.token()), 'key_unknown')
  issuer.advance(30)
  t.is(await outcome(verifier, issuer.token({}, { kid: 'made up' })), 'key_unknown')
  t.is(await outcome(verifier, issuer.token()), 'accepted')
  const kids = verifier.events.flatMap((event) =>
    event.type === 'keys' ? [event.kids.length] : [],
  )
  t.deepEqual(kids, [1, 2, 3])
})

test('an unknown kid while the issuer is unreachable → keys_unavailable, not key_unknown', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  await verifier.ready()
  issuer.answers.keys = (_request, response) => response.writeHead(503).end()
  for (let n = 0; n < 10; n++) {
    t.is(await outcome(verifier, issuer.token({}, { kid: `new ${n}` })), 'keys_unavailable')
  }
  t.is(issuer.count('/keys'), 2, 'and no more requests are made')
  t.is(await outcome(verifier, issuer.token()), 'accepted')
  t.like(verifier.events.at(-1), { type: 'problem', about: 'keys' })
})

test('RFC 7517 §5: a key set → only signing keys are used; a malformed set is rejected', async (t) => {
  const issuer = await startIssuer(t)
  const [{ n, e, kid } = {} as never] = issuer.jwks().keys as unknown as Record<string, string>[]
  const weak = newKey('weak', 1024)
  const own = { kty: 'RSA', n, e, kid }
  const serve = async (keys: unknown) => {
    issuer.answers.keys = (_request, response) => json(response, keys)
    const verifier = verifierOf(t, issuer, withoutFeed)
    return outcome(verifier, issuer.token())
  }
  for (const more of [{}, { use: 'sig' }, { alg: 'RS256' }, { key_ops: ['verify'] }, { d: 'x' }]) {
    t.is(await serve({ keys: [{ ...own, ...more }] }), 'accepted', JSON.stringify(more))
  }
  const ignored = [null, 7, [], {}, { kty: 'oct', kid, k: 'AAAA' }, { kty: 'EC', kid }]
  for (const key of ignored) t.is(await serve({ keys: [key, own] }), 'accepted')
  const others = [{ use: 'enc' }, { alg: 'PS256' }, { alg: 'HS256' }, { kty: 'oct', k: 'AAAA' }]
  for (const more of [...others, { key_ops: ['sign'] }, { kid: '' }, { kid: undefined }]) {
    t.is(await serve({ keys: [{ ...own, ...more }] }), 'key_unknown', JSON.stringify(more))
  }
  const bad: unknown[] = [
    ...[null, [], 'keys', {}, { keys: {} }, { keys: [own, own] }, { keys: Array(101).fill(own) }],
    { keys: [{ ...own, n: '' }] },
    { keys: [own, ...issuer.jwks([weak]).keys] },
    { keys: [own], padding: 'x'.repeat(300_000) },
  ]
  for (const set of bad) {
    t.is(await serve(set), 'keys_unavailable', JSON.stringify(set).slice(0, 80))
  }
})

test('an issuer that hangs → no call waits longer than the timeout, and known keys are used', async (t) => {
  const hangs = {
    'never answers': () => undefined,
    'sends headers and nothing else': (response: ServerResponse) => {
      response.writeHead(200, { 'content-length': 100 }).flushHeaders()
    },
    'sends a byte now and then': (response: ServerResponse) => {
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(drip))
    },
  }
  const attempts = Object.entries(hangs).map(async ([name, hang]) => {
    const issuer = await startIssuer(t)
    const verifier = verifierOf(t, issuer, { ...withoutFeed, timeoutSeconds: 2 })
    issuer.answers.metadata = (_request, response) => hang(response)
    t.is(await outcome(verifier, issuer.token()), 'keys_unavailable', `metadata: ${name}`)
    delete issuer.answers.metadata
    issuer.answers.keys = (_request, response) => hang(response)
    issuer.advance(1)
    t.is(await outcome(verifier, issuer.token()), 'keys_unavailable', `keys: ${name}`)
    delete issuer.answers.keys
    await eventually(async () => {
      issuer.advance(2)
      return (await outcome(verifier, issuer.token())) === 'accepted'
    }, 'it answers again')
    issuer.answers.keys = (_request, response) => hang(response)
    issuer.advance(301)
    t.is(await outcome(verifier, issuer.token()), 'accepted', `known keys: ${name}`)
  })
  await Promise.all(attempts)
})

test('a clock that is set back → tokens are accepted and requests continue', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, withoutFeed)
  await verifier.ready()
  issuer.advance(-7200)
  t.is(await outcome(verifier, issuer.token()), 'accepted')
  await eventually(() => issuer.count('/keys') === 2, 'the keys are fetched again')
  issuer.signer = newKey()
  issuer.published = [issuer.signer]
  t.is(await outcome(verifier, issuer.token()), 'accepted')
})

test('a closed verifier → makes no request and accepts no token', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  await verifier.verify(issuer.token())
  await verifier.close()
  await verifier.close()
  const { length } = issuer.calls
  t.is(await outcome(verifier, issuer.token()), 'keys_unavailable')
  t.is(issuer.calls.length, length)
})

test('an idle connection that closes as a request is sent on it → the request is repeated once', async (t) => {
  const issuer = await startIssuer(t)
  const used = new Set<unknown>()
  let closed = 0
  issuer.answers.metadata = (request, response, url) => {
    used.add(request.socket)
    issuer.metadata(request, response, url)
  }
  issuer.answers.keys = (request, response, url) => {
    if (!used.has(request.socket)) return issuer.keys(request, response, url)
    closed += 1
    request.socket.destroy()
  }
  const verifier = verifierOf(t, issuer, withoutFeed)
  t.is(await outcome(verifier, issuer.token()), 'accepted')
  t.is(closed, 1)

  // A server that closes new connections as well is not asked for ever.
  issuer.answers.keys = (request) => {
    closed += 1
    request.socket.destroy()
  }
  t.is(await outcome(verifierOf(t, issuer, withoutFeed), issuer.token()), 'keys_unavailable')
  t.is(closed, 3)
})
