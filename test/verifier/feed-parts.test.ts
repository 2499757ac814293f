import type { ServerResponse } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import type { Verifier } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { type EvilIssuer, outcome, startIssuer, verifierOf } from './evil-issuer.ts'

const becomes = (verifier: Verifier, token: string, code: string) =>
  eventually(async () => (await outcome(verifier, token)) === code, `it is ${code}`)

const header = { typ: 'revocations-part+jwt' }

/** Claims of one part that are others than the issuer's. */
type Change = (part: number) => Record<string, unknown>

/** An issuer whose list comes in four parts, as a server's does whose list is long. */
async function inParts(t: ExecutionContext, change: Change = () => ({})) {
  const issuer = await startIssuer(t)
  const names = Array.from({ length: 40 }, (_, n) => `t${n}`)
  for (const name of names) issuer.revoke('jti', name)
  const whole = JSON.parse(Buffer.from(issuer.list().split('.')[1] ?? '', 'base64url').toString())
    .revoked as Record<string, string>
  const partOf = (part: number) =>
    Object.entries(whole).map(([expiry, packed]) => {
      const digests = Buffer.from(packed, 'base64url').toString('hex').match(/.{32}/g) ?? []
      const own = digests.filter((digest) => Number.parseInt(digest[0] ?? '', 16) >> 2 === part)
      return [expiry, Buffer.from(own.join(''), 'hex').toString('base64url')]
    })
  issuer.answers.feed = (_request, response, url) => {
    if (url.searchParams.has('since')) return sendNews(issuer, response, url)
    const part = Number(url.searchParams.get('part'))
    const revoked = Object.fromEntries(partOf(part))
    const place = { seq: 'abcdefgh.7', part, of: 4, revoked }
    response.end(issuer.list({ ...place, ...change(part) }, header))
  }
  return { issuer, names }
}

function sendNews(issuer: EvilIssuer, response: ServerResponse, url: URL): void {
  const since = url.searchParams.get('since') ?? ''
  response.end(issuer.list({ since, seq: since, revoked: {} }))
}

test('a list in parts → complete before the first token is accepted', async (t) => {
  const { issuer, names } = await inParts(t)
  // Each part is shorter, and all of it is longer.
  const verifier = verifierOf(t, issuer, { revocations: { maxListBytes: 1400 } })
  const outcomes = names.map((jti) => outcome(verifier, issuer.token({ jti })))
  t.deepEqual([...new Set(await Promise.all(outcomes))], ['token_revoked'])
  t.is(await outcome(verifier, issuer.token({ jti: 'other' })), 'accepted')
  t.is(verifier.status.entries, 40)
  t.is(verifier.status.staleSeconds, 0)
  const asked = issuer.calls.filter((call) => call.includes('/feed?part'))
  t.deepEqual(
    asked.map((call) => call.split('?')[1]),
    ['part=0', 'part=1&of=4', 'part=2&of=4', 'part=3&of=4'],
  )
  const lists = verifier.events.filter(({ type }) => type === 'list')
  t.deepEqual(lists, [{ type: 'list', full: true, entries: 40 }])
})

test('parts of different times → the next delta starts at the earliest cursor, and the oldest part sets the age', async (t) => {
  const seqs = ['abcdefgh.7', 'abcdefgh.5.aaaaaaaa', 'abcdefgh.9', 'abcdefgh.5.bbbbbbbb']
  const { issuer } = await inParts(t, (part) => ({
    seq: seqs[part],
    iat: 1_800_000_000 - 10 * part,
  }))
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  t.is(verifier.status.staleSeconds, 30)
  const next = () => issuer.calls.some((call) => call.includes('since=abcdefgh.5&wait=25&part=0'))
  await eventually(next, 'news since the earliest')
})

test('parts of different lists → not complete and not fresh', async (t) => {
  const wrong: Record<string, Change> = {
    'another part': (part) => (part === 2 ? { part: 1 } : {}),
    'another division': (part) => (part === 2 ? { of: 8 } : {}),
    'another history': (part) => (part === 2 ? { seq: 'ijklmnop.7' } : {}),
    'always the first': () => ({ part: 0 }),
    'a part behind the last': (part) => (part === 2 ? { part: 4 } : {}),
    'no number': (part) => (part === 2 ? { part: '2' } : {}),
    'a part of a delta': (part) => (part === 2 ? { since: 'abcdefgh.1' } : {}),
    'too many parts': () => ({ of: 1_000_000 }),
  }
  for (const [name, change] of Object.entries(wrong)) {
    const { issuer } = await inParts(t, change)
    const verifier = verifierOf(t, issuer, { revocations: { onStale: 'reject' } })
    t.is(await outcome(verifier, issuer.token()), 'revocations_stale', name)
    t.is(verifier.status.staleSeconds, Number.POSITIVE_INFINITY, name)
    const problem = verifier.events.find(({ type }) => type === 'problem')
    t.like(problem, { about: 'revocations' }, name)
    await verifier.close()
  }
})

test('RFC 8725 §3.11: a list of an unknown type → rejected', async (t) => {
  const { issuer } = await inParts(t)
  issuer.answers.feed = (_request, response) =>
    response.end(issuer.list({ revoked: {} }, { typ: 'revocations-parts+jwt' }))
  const verifier = verifierOf(t, issuer, { revocations: { onStale: 'reject' } })
  t.is(await outcome(verifier, issuer.token()), 'revocations_stale')
})

test('a part that fails → earlier parts are kept, and it is requested again', async (t) => {
  const { issuer } = await inParts(t)
  const answer = issuer.answers.feed
  let failures = 0
  issuer.answers.feed = (request, response, url) => {
    if (url.searchParams.get('part') !== '2' || failures++ > 0) {
      return answer?.(request, response, url)
    }
    response.writeHead(503).end()
  }
  const verifier = verifierOf(t, issuer)
  await verifier.ready().catch(() => undefined)
  await eventually(() => verifier.status.staleSeconds === 0, 'it is complete')
  t.is(issuer.count('/feed?part=0'), 1)
  t.is(issuer.count('/feed?part=2'), 2)
})

test('full lists fail → deltas continue, and the problem is reported', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  await eventually(() => issuer.waiting.size > 0, 'it waits for news')
  issuer.answers.feed = (request, response, url) =>
    url.searchParams.has('since')
      ? issuer.feed(request, response, url)
      : response.end('x'.repeat(20_000_000))
  issuer.advance(901)
  issuer.answerAll()
  const isTold = () =>
    verifier.events.some((event) => event.type === 'problem' && event.reason.includes('bytes'))
  await eventually(isTold, 'the list is too long')
  const token = issuer.token({ jti: 'late' })
  issuer.revoke('jti', 'late')
  await becomes(verifier, token, 'token_revoked')
  t.is(await outcome(verifier, issuer.token()), 'accepted')
  t.true(verifier.status.staleSeconds < 60)
  // And it is tried again.
  const asked = issuer.count('/feed?part=0')
  delete issuer.answers.feed
  issuer.advance(61)
  issuer.answerAll()
  await eventually(() => issuer.count('/feed?part=0') > asked, 'everything is asked for again')
})
