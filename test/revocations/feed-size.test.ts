// Alone: it measures the delay of the event loop.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import test from 'ava'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { LiveKeyring } from '../../src/keyring/live-keyring.ts'
import { ActiveEntries } from '../../src/revocations/active-entries.ts'
import type { Part } from '../../src/revocations/digest-groups.ts'
import { type FeedRequest, RevocationFeed } from '../../src/revocations/revocation-feed.ts'
import type {
  LogChanges,
  LoggedRevocation,
  RevocationLog,
} from '../../src/revocations/revocation-log.ts'
import { storedKey, stubSigningKeys } from '../keyring/stub-keys.ts'

const now = () => new Date('2026-01-01T00:00:00Z')
const keyring = new LiveKeyring(
  stubSigningKeys(async () => [storedKey('k', 1)]),
  now,
)
await keyring.reread()

/** A log of so many entries, of which each transaction wrote ten; a database would take minutes to fill. */
function logOf(count: number, settled = count): RevocationLog {
  const bookmark = { history: 'abcdefgh', watermark: BigInt(settled), ceiling: 0n, running: [] }
  const entryOf = (n: number): LoggedRevocation => ({
    ...{ kind: 'jti', value: `j${n}`, seq: String(n), xid: BigInt(Math.floor(n / 10)) },
    expiresAt: new Date(now().getTime() + 60_000 + (n % 3600) * 1000),
  })
  return {
    hasForeign: async () => false,
    bookmark: async () => bookmark,
    async *newer() {
      yield { bookmark, entries: [], hasForeign: false }
    },
    async *live() {
      for (let n = 0; n < count; n += 5000) {
        await new Promise((resolve) => setImmediate(resolve))
        yield Array.from({ length: Math.min(5000, count - n) }, (_, at) => entryOf(n + at))
      }
    },
  } as unknown as RevocationLog
}

const feedOf = (count: number) =>
  new RevocationFeed({ log: logOf(count), keyring, issuer: 'https://signet.example', now })

async function partOf(feed: RevocationFeed, part: Part) {
  const document = await feed.readPart(part)
  if (typeof document !== 'object') throw new Error(`no part: ${document}`)
  return document.jwt
}

/** Counts how often the first bits of a digest are read during the work. */
async function digestsSorted(work: () => Promise<void>): Promise<number> {
  const { readUInt16BE } = Buffer.prototype
  let count = 0
  Buffer.prototype.readUInt16BE = function (offset?: number) {
    count += 1
    return readUInt16BE.call(this, offset)
  }
  await work().finally(() => {
    Buffer.prototype.readUInt16BE = readUInt16BE
  })
  return count
}

async function read(feed: RevocationFeed, request: Partial<FeedRequest> = {}) {
  const document = await feed.read({ waitSeconds: 0, ...request })
  if (typeof document !== 'object') throw new Error(`no document: ${document}`)
  return document.jwt
}

interface Claims {
  readonly revoked: Record<string, string>
  readonly part?: number
  readonly of?: number
  readonly seq: string
  readonly since?: string
}

const digestsOf = (jwt: string): string[] =>
  Object.values(decodeJwt<Claims>(jwt).revoked).flatMap(
    (packed) => Buffer.from(packed, 'base64url').toString('hex').match(/.{32}/g) ?? [],
  )

test.serial(
  '300,000 entries are read and signed → other work of the process is not delayed for long',
  async (t) => {
    const longest: number[] = []
    // About 200 ms on an idle machine, 3,000 without the pauses. Best of three, as a busy machine may stop the process.
    for (let round = 0; round < 3 && !(Math.min(...longest) < 1000); round += 1) {
      const delay = monitorEventLoopDelay({ resolution: 5 })
      const feed = feedOf(300_000)
      await new Promise((resolve) => setTimeout(resolve, 20))
      delay.enable()
      await feed.start()
      const jwt = await read(feed)
      await new Promise((resolve) => setImmediate(resolve))
      delay.disable()
      longest.push(delay.max / 1e6)
      t.true(jwt.length > 8_000_000 && jwt.length < 9_000_000)
    }
    t.log(longest.map((milliseconds) => `${Math.round(milliseconds)} ms`).join())
    t.true(Math.min(...longest) < 1000, `${longest}`)
  },
)

test.serial(
  '600,000 entries → parts of less than 1 MB that are all of the list, and no part of another',
  async (t) => {
    const feed = feedOf(600_000)
    await feed.start()
    const first = await read(feed, { inParts: true })
    t.is(decodeProtectedHeader(first).typ, 'revocations-part+jwt')
    const { of = 0, seq } = decodeJwt<Claims>(first)
    t.is(of, 32)
    const seen = new Set<string>()
    for (let part = 0; part < of; part += 1) {
      const document = await feed.readPart({ part, of })
      if (typeof document !== 'object') throw new Error(`no part: ${document}`)
      const claims = decodeJwt<Claims>(document.jwt)
      t.deepEqual([claims.part, claims.of, claims.since, claims.seq], [part, of, undefined, seq])
      t.true(document.jwt.length < 1_000_000, `${document.jwt.length}`)
      for (const digest of digestsOf(document.jwt)) {
        if (Number.parseInt(digest.slice(0, 4), 16) >> 11 !== part) t.fail('of another part')
        seen.add(digest)
      }
    }
    t.is(seen.size, 600_000)
  },
)

test.serial(
  'more entries than fit one document → a reader without parts is refused, but still gets new entries',
  async (t) => {
    const feed = feedOf(600_000)
    await feed.start()
    t.is(await feed.read({ waitSeconds: 0 }), 'too_large')
    t.is(await feed.read({ waitSeconds: 0, since: 'another1.1' }), 'too_large')
    const news = await read(feed, { since: 'abcdefgh.59999' })
    t.true(digestsOf(news).length < 100)
    const { since } = decodeJwt<Claims>(news)
    t.is(typeof since, 'string')
    const behind = await read(feed, { since: 'abcdefgh.1', inParts: true })
    t.is(decodeJwt<Claims>(behind).of, 32, 'who is far behind is told everything, in parts')
  },
)

test.serial(
  'an unusual division is requested → refused, so that no caller has thousands of lists signed',
  async (t) => {
    const feed = feedOf(100_000)
    await feed.start()
    t.is(decodeJwt<Claims>(await read(feed, { inParts: true })).of, 4)
    for (const of of [2, 4, 8]) t.is(typeof (await feed.readPart({ part: 1, of })), 'object')
    for (const of of [0, 1, 3, 16, 4096, 65_536]) {
      t.is(await feed.readPart({ part: 0, of }), 'other_parts', String(of))
    }
    t.is(await feed.readPart({ part: 4, of: 4 }), 'other_parts')
    const small = feedOf(1000)
    await small.start()
    t.is(decodeProtectedHeader(await read(small, { inParts: true })).typ, 'revocations+jwt')
    t.is(await small.readPart({ part: 0, of: 1 }), 'other_parts')
  },
)

test.serial(
  'three divisions are requested, part by part → each has all entries, and the list is sorted once',
  async (t) => {
    // 20,000 of 100,000 entries belong to transactions that are not settled.
    const log = logOf(100_000, 8000)
    const feed = new RevocationFeed({ log, keyring, issuer: 'https://signet.example', now })
    await feed.start()
    const looked = await digestsSorted(async () => {
      for (const of of [2, 4, 8]) {
        const seen: string[] = []
        for (let part = 0; part < of; part += 1) {
          const digests = digestsOf(await partOf(feed, { part, of }))
          const isOfPart = (digest: string) =>
            Math.floor((Number.parseInt(digest.slice(0, 4), 16) * of) / 65_536) === part
          t.true(digests.every(isOfPart))
          seen.push(...digests)
        }
        t.is(seen.length, 100_000)
        t.is(new Set(seen).size, 100_000)
      }
    })
    t.true(looked <= 2 * 100_000, `counted and placed: ${looked}`)
  },
)

test.serial(
  'many parts are requested → the newest are kept, within a limit of bytes',
  async (t) => {
    let signed = 0
    const feed = new RevocationFeed({
      log: logOf(100_000),
      keyring,
      issuer: 'https://signet.example',
      now,
      onSigned: () => (signed += 1),
      mostKeptBytes: 1_600_000,
    })
    await feed.start()
    for (let part = 0; part < 8; part += 1) await partOf(feed, { part, of: 8 })
    t.is(signed, 8)
    await partOf(feed, { part: 7, of: 8 })
    await partOf(feed, { part: 6, of: 8 })
    t.is(signed, 8, 'these are kept')
    await partOf(feed, { part: 0, of: 8 })
    t.is(signed, 9, 'this one is made again')
  },
)

test('25,000 open entries settle in pieces → none is counted twice meanwhile', async (t) => {
  const history = 'abcdefgh'
  const entries = Array.from({ length: 25_000 }, (_, n): LoggedRevocation => {
    const expiresAt = new Date(now().getTime() + 600_000)
    return { kind: 'jti', value: `j${n}`, seq: String(n), xid: 5n, expiresAt }
  })
  async function* pages() {
    yield entries
  }
  const list = await ActiveEntries.load({ history, watermark: 1n }, pages())
  const changes = { entries, history, watermark: 10n } as unknown as LogChanges
  const settling = list.advance(changes)
  t.is(list.size, entries.length)
  await settling
  t.is(list.size, entries.length)
  t.is(list.cursor.watermark, 10n)
})
