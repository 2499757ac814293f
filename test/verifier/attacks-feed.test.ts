import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import type { VerifierOptions } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { forge, hmac, pss, rsa, silentListener, unsigned } from '../support/clients/forge.ts'
import {
  audience,
  digestOf,
  type EvilIssuer,
  newKey,
  outcome,
  startIssuer,
  verifierOf,
} from './evil-issuer.ts'

/**
 * Such an answer changes nothing: what it names is not revoked, and it does not count as fresh. Good
 * tokens go on, unless the service wants to refuse what it cannot know; then it says so, until a good
 * list comes.
 */
async function isNoList(
  t: ExecutionContext<unknown>,
  name: string,
  answer: (issuer: EvilIssuer, response: ServerResponse) => void,
  options: Partial<VerifierOptions> = {},
): Promise<void> {
  const issuer = await startIssuer(t)
  issuer.revoke('client', 'app')
  const list = { maxListBytes: 100_000 }
  const lenient = verifierOf(t, issuer, { ...options, revocations: list })
  const strict = verifierOf(t, issuer, { ...options, revocations: { ...list, onStale: 'reject' } })
  issuer.answers.feed = (_request, response) => answer(issuer, response)
  for (const verifier of [lenient, strict]) {
    // A busy machine may not fetch the keys within a short timeout at its first attempt.
    await eventually(async () => {
      issuer.advance(2)
      return (await outcome(verifier, issuer.token())) !== 'keys_unavailable'
    }, 'the keys are there')
  }
  t.is(await outcome(lenient, issuer.token()), 'accepted', name)
  t.is(await outcome(strict, issuer.token()), 'revocations_stale', name)
  for (const { status, events } of [lenient, strict]) {
    t.like(status, { entries: 0, following: true, staleSeconds: Number.POSITIVE_INFINITY }, name)
    t.true(
      events.some((event) => event.type === 'problem' && event.about === 'revocations'),
      name,
    )
    t.false(events.some(({ type }) => type === 'list'))
  }
  delete issuer.answers.feed
  for (const verifier of [lenient, strict]) {
    await eventually(
      async () => (await outcome(verifier, issuer.token())) === 'token_revoked',
      `a good list comes after: ${name}`,
    )
    t.is(await outcome(verifier, issuer.token({ client_id: 'other' })), 'accepted', name)
  }
}

test('a list that the issuer did not sign as a list → rejected', async (t) => {
  const thief = newKey()
  type Forgery = (issuer: EvilIssuer) => string
  const forgeries: Record<string, Forgery> = {
    'a foreign key under the genuine kid': (it) => it.list({}, {}, rsa(thief.privateKey)),
    'a foreign kid': (it) => it.list({}, { kid: thief.kid }, rsa(thief.privateKey)),
    'no kid': (it) => it.list({}, { kid: undefined }),
    none: (it) => it.list({}, { alg: 'none' }, unsigned),
    'HS256 with the public key': (it) => {
      const pem = it.signer.publicKey.export({ format: 'pem', type: 'spki' })
      return it.list({}, { alg: 'HS256' }, hmac(pem))
    },
    'PS256 by the genuine key': (it) => it.list({}, { alg: 'PS256' }, pss(it.signer.privateKey)),
    'PS256 called RS256': (it) => it.list({}, {}, pss(it.signer.privateKey)),
    'RS512 called RS256': (it) => it.list({}, {}, rsa(it.signer.privateKey, 'sha512')),
    'a key of its own': (it) => {
      const jwk = thief.publicKey.export({ format: 'jwk' })
      return it.list({}, { jwk }, rsa(thief.privateKey))
    },
    'a critical extension': (it) => it.list({}, { crit: ['x'], x: 1 }),
    'the type of an access token': (it) => it.list({}, { typ: 'at+jwt' }),
    'the type JWT': (it) => it.list({}, { typ: 'JWT' }),
    'no type': (it) => it.list({}, { typ: undefined }),
    'an access token': (it) => it.token(),
    'an access token that says what a list says': (it) => {
      const [, claims = ''] = it.list().split('.')
      return it.token(JSON.parse(Buffer.from(claims, 'base64url').toString()))
    },
    'other entries': (it) => {
      const [header, , signature] = it.list({ revoked: {} }).split('.')
      return [header, it.list().split('.')[1], signature].join('.')
    },
  }
  for (const [name, forged] of Object.entries(forgeries)) {
    await isNoList(t, name, (issuer, response) => response.end(forged(issuer)))
  }
})

test('RFC 8725 §3.8: a list of another issuer → rejected, whatever its key', async (t) => {
  const other = await startIssuer(t)
  const names = ['', null, 7, ['x'], `${other.issuer}/`, other.issuer, undefined]
  for (const iss of names) {
    await isNoList(t, `iss ${JSON.stringify(iss)}`, (issuer, response) =>
      response.end(issuer.list({ iss })),
    )
  }
  const slash = (issuer: EvilIssuer) => issuer.list({ iss: `${issuer.issuer}/` })
  await isNoList(t, 'a slash more', (issuer, response) => response.end(slash(issuer)))
})

test('a malformed list → accepted completely or not at all', async (t) => {
  const digest = (extra = 0) => {
    const bytes = Buffer.concat([digestOf('client', 'app'), Buffer.alloc(extra)])
    return bytes.toString('base64url')
  }
  const soon = '1800000600'
  const nonsense: Record<string, object> = {
    'no iat': { iat: undefined },
    'iat as text': { iat: soon },
    'iat far ahead': { iat: 1_800_000_000 + 3600 },
    'iat below zero': { iat: -1 },
    'half an iat': { iat: 1_799_999_999.5 },
    'no seq': { seq: undefined },
    'seq as a number': { seq: 1 },
    'an empty seq': { seq: '' },
    'a seq that would be another query': { seq: '1&wait=0' },
    'a seq that is too long': { seq: '1'.repeat(65) },
    'a delta when all was asked for': { since: '0' },
    'an empty since': { since: '' },
    'a since that is null': { since: null },
    'no list': { revoked: undefined },
    'a list': { revoked: [digest()] },
    'a list that is null': { revoked: null },
    'an expiry that is a word': { revoked: { [soon]: digest(), soon: digest() } },
    'an expiry that is negative': { revoked: { [soon]: digest(), '-1': digest() } },
    'an expiry beyond 32 bits': { revoked: { [soon]: digest(), '4294967296': digest() } },
    'part of a digest': { revoked: { [soon]: digest(8) } },
    'digests that are no text': { revoked: { [soon]: digest(), '1800000660': 7 } },
    'digests in base64': { revoked: { [soon]: `${digest()}==` } },
  }
  for (const [name, claims] of Object.entries(nonsense)) {
    await isNoList(t, name, (issuer, response) => response.end(issuer.list({ ...claims })))
  }
  const key = (issuer: EvilIssuer) => rsa(issuer.signer.privateKey)
  const header = (issuer: EvilIssuer) => issuer.header({ typ: 'revocations+jwt' })
  for (const text of ['', '{', '[]', 'null', '\ufeff{}']) {
    await isNoList(t, `claims ${text}`, (issuer, response) =>
      response.end(forge(header(issuer), text, key(issuer))),
    )
  }
})

test('a truncated, oversized or foreign response → rejected while it is read', async (t) => {
  const listener = await silentListener(t)
  const endless = new Set<ServerResponse>()
  const huge = (issuer: EvilIssuer) => issuer.list({ padding: 'x'.repeat(200_000) })
  const answers: Record<string, (issuer: EvilIssuer, response: ServerResponse) => void> = {
    nothing: (_, response) => response.end(),
    HTML: (_, response) => response.end('<html></html>'),
    'half a list': (it, response) => response.end(it.list().slice(0, -200)),
    'a list and a line break': (it, response) => response.end(`${it.list()}\n`),
    'a list that is too long': (it, response) => response.end(huge(it)),
    'one that hides its length': (it, response) => {
      const text = huge(it)
      response.write(text.slice(0, 50_000))
      response.write(text.slice(50_000))
      response.end()
    },
    'one that claims to be short': (it, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.flushHeaders()
      response.socket?.write(huge(it))
      response.socket?.end()
    },
    'one that claims to be longer and ends': (it, response) => {
      response.writeHead(200, { 'content-length': 90_000 })
      response.write(it.list())
      setTimeout(() => response.socket?.destroy(), 20)
    },
    'one without an end': (_, response) => {
      endless.add(response)
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      }
      response.on('drain', more)
      response.on('close', () => endless.delete(response))
      more()
    },
    'one that unpacks to a hundred times its size': (_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync('x'.repeat(10_000_000)))
    },
    'a redirect': (_, response) => response.writeHead(302, { location: listener.url }).end(),
    'an error with a good list': (it, response) => response.writeHead(500).end(it.list()),
    '203 with a good list': (it, response) => response.writeHead(203).end(it.list()),
    '503': (_, response) => response.writeHead(503, { 'retry-after': '1' }).end(),
    '304 although nothing is known': (_, response) => response.writeHead(304).end(),
    'a connection that breaks': (_, response) => response.socket?.destroy(),
  }
  for (const [name, answer] of Object.entries(answers)) await isNoList(t, name, answer)
  t.deepEqual(listener.calls, [])
  await eventually(() => endless.size === 0, 'who sends without an end is hung up on')
})

test('a feed that hangs → aborted at its deadline', async (t) => {
  const hangs: Record<string, (response: ServerResponse) => void> = {
    'never answers': () => undefined,
    'sends headers and nothing else': (response) => response.flushHeaders(),
    'sends a byte now and then': (response) => {
      const drip = setInterval(() => response.write('x'), 50)
      response.on('close', () => clearInterval(drip))
    },
  }
  const attempts = Object.entries(hangs).map(([name, hang]) =>
    isNoList(t, name, (_, response) => hang(response), { timeoutSeconds: 2 }),
  )
  await Promise.all(attempts)
})

test('a list signed by a revoked key → rejected; one that revokes its own key is not fresh', async (t) => {
  const issuer = await startIssuer(t)
  const leaked = issuer.signer
  const next = newKey()
  issuer.published.push(next)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  // The thief's list: nothing is revoked, and it is fresh.
  const ofThief = () => issuer.list({ revoked: {} }, { kid: leaked.kid }, rsa(leaked.privateKey))
  issuer.revoke('kid', leaked.kid)
  const byLeaked = issuer.token({ client_id: 'c' }, { kid: leaked.kid }, rsa(leaked.privateKey))
  await eventually(
    async () => (await outcome(verifier, byLeaked)) === 'token_revoked',
    'a list that revokes its own key is believed from any sender',
  )
  issuer.answers.feed = (_request, response) => response.end(ofThief())
  issuer.advance(100)
  const heard = () =>
    verifier.events.some(
      (event) => event.type === 'problem' && event.reason.includes('signed by a revoked key'),
    )
  await eventually(heard, 'the thief is heard')
  t.true(verifier.status.staleSeconds >= 100, 'and not believed')
  delete issuer.answers.feed
  issuer.signer = next
  await eventually(() => verifier.status.staleSeconds === 0, 'the next key is believed')
  t.is(await outcome(verifier, byLeaked), 'token_revoked')
  t.is(await outcome(verifier, issuer.token()), 'accepted')
})

test('a new key signs the feed → found, even during a flood of made-up kids', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  t.is(await outcome(verifier, issuer.token({}, { kid: 'made up' })), 'key_unknown')
  issuer.signer = newKey()
  issuer.published.push(issuer.signer)
  issuer.revoke('client', 'app')
  await eventually(async () => {
    issuer.advance(10)
    const old = issuer.published[0] as typeof issuer.signer
    const token = issuer.token({}, { kid: old.kid }, rsa(old.privateKey))
    return (await outcome(verifier, token)) === 'token_revoked'
  }, 'the list is verified by the new key')
})

const forgotten: Record<string, (issuer: EvilIssuer) => boolean> = {
  'while its poll hangs': (issuer) => issuer.waiting.size > 0,
  'while the feed fails': (issuer) => issuer.count('/feed') > 2,
}

for (const [when, isSo] of Object.entries(forgotten)) {
  test(`a verifier that was not closed keeps no process alive, ${when}`, async (t) => {
    const issuer = await startIssuer(t)
    if (when.endsWith('fails')) {
      issuer.answers.feed = (_request, response) => response.writeHead(503).end()
    }
    // The process has unlimited time.
    issuer.advance(Math.floor(Date.now() / 1000) - issuer.seconds)
    const program = fileURLToPath(new URL('./open-verifier.js', import.meta.url))
    const args = [program, issuer.issuer, audience, issuer.token()]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const [line] = await once(child.stdout, 'data')
    t.is(String(line), 'ada\n')
    await eventually(() => isSo(issuer), when)
    child.stdin.end('go\n')
    const isOver = () => child.exitCode !== null || child.signalCode !== null
    await eventually(isOver, 'it ends although it would go on for ever')
    t.is(child.exitCode, 0)
  })
}
