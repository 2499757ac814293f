import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { app } from '../../tools/fixtures.ts'
import { startServer } from '../support/server/start-server.ts'
import { decode } from './decode.ts'

test('a refresh is a heap-only update: neither the table nor its indexes grow', async (t) => {
  const server = await startServer(t)
  const tokens: string[] = []
  for (let session = 0; session < 5; session += 1) {
    tokens.push((await server.signIn()).body.refresh_token)
  }
  const size = async () => {
    const { rows } = await server.db.raw(
      `SELECT pg_indexes_size('refresh_families') AS indexes, pg_relation_size('refresh_families') AS heap`,
    )
    return rows[0] as { indexes: string; heap: string }
  }
  // An old row is cleared away once no transaction of the cluster, in whichever database, is older than it.
  const nothingIsOlder = async () => {
    const { rows } = await server.db.raw('SELECT pg_snapshot_xmax(pg_current_snapshot()) AS now')
    await eventually(async () => {
      const seen = await server.db.raw(
        'SELECT pg_snapshot_xmin(pg_current_snapshot()) >= ?::text::xid8 AS passed',
        [rows[0].now],
      )
      return seen.rows[0].passed as boolean
    }, 'transactions beside this test end')
  }
  await server.app.stop()
  const before = await size()
  for (let turn = 0; turn < 500; turn += 1) {
    if (turn % 10 === 0) await nothingIsOlder()
    const at = turn % tokens.length
    const rotation = await server.services.refreshRotation.rotate(
      decode(server, tokens[at] ?? ''),
      {
        clientId: app.id,
        idleSeconds: 600,
      },
    )
    if (!('token' in rotation)) throw new Error(rotation.outcome)
    tokens[at] = rotation.token
  }
  t.is((await server.db('refresh_families')).length, 5, 'no row is added')
  t.deepEqual((await size()).indexes, before.indexes)
  t.true(Number((await size()).heap) <= 4 * 8192)
  let share = 0
  await eventually(async () => {
    await server.db.raw('SELECT pg_stat_force_next_flush()')
    const { rows } = await server.db.raw(
      `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'refresh_families'`,
    )
    share = Number(rows[0].n_tup_hot_upd) / Number(rows[0].n_tup_upd)
    return Number(rows[0].n_tup_upd) >= 400
  }, 'the statistics are in')
  t.log(`${(share * 100).toFixed(1)} % of the updates are heap-only`)
  t.true(share >= 0.9, String(share))
})

test('a dump of the database does not yield a refresh token', async (t) => {
  const server = await startServer(t)
  const { refresh_token } = (await server.signIn()).body
  const bytes = Buffer.from(refresh_token.slice('srt_'.length), 'base64url')
  const seed = bytes.subarray(20, 36)
  const { rows } = await server.db.raw(
    `SELECT (SELECT string_agg(f::text, '') FROM refresh_families f) AS families,
            (SELECT string_agg(s::text, '') FROM sealed_secrets s) AS sealed`,
  )
  const dump = JSON.stringify(rows)
  t.false(dump.includes(seed.toString('hex')))
  t.false(dump.includes(bytes.subarray(36).toString('hex')))
  t.false(dump.includes(refresh_token))
})
