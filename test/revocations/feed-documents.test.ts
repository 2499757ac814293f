import test from 'ava'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { LiveKeyring } from '../../src/keyring/live-keyring.ts'
import { RevocationFeed } from '../../src/revocations/revocation-feed.ts'
import type { LoggedRevocation, RevocationLog } from '../../src/revocations/revocation-log.ts'
import { storedKey, stubSigningKeys } from '../keyring/stub-keys.ts'

/** A feed of so many entries, whose clock, keys and news are the test's. */
async function feedOf(count: number) {
  const given = { at: new Date('2026-01-01T00:00:00Z'), keys: [storedKey('one', 1)] }
  const now = () => given.at
  const news: LoggedRevocation[] = []
  let watermark = BigInt(count)
  const bookmark = () => ({ history: 'abcdefgh', watermark, ceiling: watermark, running: [] })
  const entry = (n: number, kind: 'jti' | 'kid', value: string): LoggedRevocation => ({
    ...{ kind, value, seq: String(n), xid: BigInt(n) },
    expiresAt: new Date(given.at.getTime() + 3_600_000),
  })
  const log = {
    hasForeign: async () => false,
    minute: now,
    bookmark: async () => bookmark(),
    async *newer() {
      yield { bookmark: bookmark(), entries: news.splice(0), hasForeign: false }
    },
    async *live() {
      yield Array.from({ length: count }, (_, n) => entry(n, 'jti', `j${n}`))
    },
  } as unknown as RevocationLog
  const keyring = new LiveKeyring(
    stubSigningKeys(async () => given.keys),
    now,
  )
  await keyring.reread()
  const feed = new RevocationFeed({ log, keyring, issuer: 'https://signet.example', now })
  await feed.follow()
  return {
    given,
    feed,
    async read() {
      const document = await feed.read({ waitSeconds: 0 })
      if (typeof document !== 'object') throw new Error(`no document: ${document}`)
      return document.jwt
    },
    revokeKey(kid: string) {
      news.push(entry(Number(watermark), 'kid', kid))
      watermark += 1n
    },
  }
}

test('nothing is revoked for six seconds → the list is signed again, with the time of a later reading', async (t) => {
  const { given, feed, read } = await feedOf(3)
  const first = await read()
  const after = async (seconds: number) => {
    given.at = new Date(given.at.getTime() + seconds * 1000)
    await feed.follow()
    return read()
  }
  t.is(await after(3), first, 'signed once')
  const { iat = 0 } = decodeJwt(first)
  t.is(decodeJwt(await after(3)).iat, iat + 6)
})

test('a key is revoked → even a long list is signed by another at once', async (t) => {
  const { given, feed, read, revokeKey } = await feedOf(10_001)
  t.is(decodeProtectedHeader(await read()).kid, 'one')
  given.keys = [storedKey('one', 1, given.at), storedKey('two', 2)]
  revokeKey('one')
  await feed.follow()
  t.is(decodeProtectedHeader(await read()).kid, 'two')
})
