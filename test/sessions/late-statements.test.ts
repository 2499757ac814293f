import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { app } from '../../tools/fixtures.ts'
import type { Answer } from '../../tools/http-client.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { decode } from './decode.ts'

const tokenOf = (answer: Answer): string => answer.body.refresh_token
const presenter = { clientId: app.id, idleSeconds: 86_400 }

const noStatementWaits = (server: TestServer) =>
  eventually(async () => {
    const { rows } = await server.db.raw(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%refresh_families%'`,
    )
    return rows.length === 0
  }, 'no statement waits any more')

test('a refresh answered 503 because its table was locked → it has not spent its token', async (t) => {
  const server = await startServer(t, { environment: { DATABASE_TIMEOUT_SECONDS: '3' } })
  const locker = await startServer(t, { beside: server })
  const signedIn = [await server.signIn(), await server.signIn(), await server.signIn()]
  const tokens = signedIn.map(tokenOf)
  await locker.db.transaction(async (trx) => {
    await trx.raw('LOCK TABLE refresh_families IN ACCESS EXCLUSIVE MODE')
    const answers = await Promise.all(tokens.map((token) => server.refresh(token)))
    t.deepEqual(
      answers.map(({ status }) => status),
      [503, 503, 503],
    )
  })
  await noStatementWaits(locker)
  t.deepEqual(await locker.db('refresh_families').pluck('generation'), [0, 0, 0])
  server.clock.advance({ minutes: 30 })
  for (const token of tokens) {
    t.like(await server.services.refreshRotation.rotate(decode(server, token), presenter), {
      outcome: 'rotated',
    })
  }
})
