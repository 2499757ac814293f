import test from 'ava'
import { ActiveEntries } from '../../src/revocations/active-entries.ts'
import type { LoggedRevocation } from '../../src/revocations/revocation-log.ts'

const entry = (seq: number): LoggedRevocation => ({
  kind: 'jti',
  value: `jti-${seq}`,
  seq: String(seq),
  xid: BigInt(100 + seq),
  expiresAt: new Date('2026-01-01T01:00:00Z'),
})

async function* noPages() {}

const loadAt = (watermark: bigint) =>
  ActiveEntries.load({ history: 'abcdefgh', watermark }, noPages())

const changes = (watermark: bigint, ...seqs: number[]) => ({
  history: 'abcdefgh',
  watermark,
  entries: seqs.map(entry),
})

test('instances that read the same open entries in another order → the same cursor', async (t) => {
  const [one, other] = [await loadAt(100n), await loadAt(100n)]
  t.is(one.cursor.open, '')
  for (const seqs of [[1], [1, 2], [1, 2, 3]]) t.true(await one.advance(changes(100n, ...seqs)))
  t.true(await other.advance(changes(100n, 3, 1)))
  t.not(other.cursor.open, one.cursor.open)
  t.true(await other.advance(changes(100n, 3, 1, 2)))
  t.regex(one.cursor.open, /^[\w-]{8}$/)
  t.is(other.cursor.open, one.cursor.open)
  t.is(one.since(other.cursor), undefined, 'neither has news for a reader of the other')
})

test('entries settle → they leave the open part of the cursor and are no news', async (t) => {
  const list = await loadAt(100n)
  await list.advance(changes(100n, 1, 2, 3))
  t.false(await list.advance(changes(100n, 1, 2, 3)), 'nothing new')
  t.false(await list.advance(changes(103n, 1, 2, 3)), 'two settled, which readers have')
  t.is(list.size, 3)
  const only = await loadAt(103n)
  await only.advance(changes(103n, 3))
  t.is(list.cursor.open, only.cursor.open)
  await list.advance(changes(104n, 3))
  t.is(list.cursor.open, '')
})

test('an open entry expires → the cursor changes, so that every reader drops it', async (t) => {
  const list = await loadAt(100n)
  await list.advance(changes(100n, 1, 2))
  const before = list.cursor.open
  t.true(await list.advance(changes(100n, 2)))
  t.not(list.cursor.open, before)
})

test('an entry is pruned → not before it has expired, and at most a minute after', async (t) => {
  const list = await loadAt(100n)
  const expiresAt = new Date('2026-01-01T01:00:30Z')
  await list.advance({
    history: 'abcdefgh',
    watermark: 200n,
    entries: [{ ...entry(1), expiresAt }],
  })
  list.prune(new Date('2026-01-01T01:00:29Z'))
  t.is(list.size, 1)
  list.prune(new Date('2026-01-01T01:01:30Z'))
  t.is(list.size, 0)
})
