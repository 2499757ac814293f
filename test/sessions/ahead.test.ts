import test from 'ava'
import type { Rotation } from '../../src/sessions/refresh-rotation.ts'
import { app } from '../../tools/fixtures.ts'
import type { Answer } from '../../tools/http-client.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { decode } from './decode.ts'

const refused = { status: 400, body: { error: 'invalid_grant' } }
const presenter = { clientId: app.id, idleSeconds: 86_400 }
const tokenOf = (answer: Answer): string => answer.body.refresh_token
const family = (server: TestServer) => server.db('refresh_families').first()
const aheadEvents = (server: TestServer) =>
  server.db('audit_events').where({ event: 'session.ahead' })

/** Four refresh tokens of one session, oldest first. */
async function chain(server: TestServer): Promise<[string, string, string, string]> {
  const first = tokenOf(await server.signIn())
  const second = tokenOf(await server.refresh(first))
  const third = tokenOf(await server.refresh(second))
  return [first, second, third, tokenOf(await server.refresh(third))]
}

/** Does to the session what a failover to a lagging standby does: its last rotations are lost. */
const lose = (server: TestServer, generation: number) =>
  server.db('refresh_families').update({ generation, rotated_at: null })

test('a database that lost the last rotations → the newest refresh token still works', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await lose(server, 1)
  t.true((await server.introspect(tokens[3])).body.active)
  t.is((await server.refresh(tokens[3], { scope: 'nonsense' })).status, 400)
  const next = await server.refresh(tokens[3])
  t.is(next.status, 200, next.text)
  t.like(await family(server), { generation: 4, revoked_at: null })
  const events = await aheadEvents(server)
  t.is(events.length, 1)
  t.like(events[0], { client_id: 'app', ip: '127.0.0.1' })
  t.deepEqual(events[0].detail, { generation: 3, current: 1, lost: 2 })
  const metrics = await server.services.metrics.registry.metrics()
  t.regex(metrics, /signet_refreshes_total\{outcome="ahead"\} 1/)
  t.is((await server.refresh(tokenOf(next))).status, 200)
  t.is((await aheadEvents(server)).length, 1)
})

test('RFC 9700 §4.14.2: tokens spent in the lost time → reuse once the newest was used', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await lose(server, 1)
  const next = await server.refresh(tokens[3])
  t.like(await server.refresh(tokens[2]), refused)
  t.like(await server.refresh(tokenOf(next)), refused)
  t.like(await family(server), { revoked_reason: 'reuse' })
})

test('RFC 9700 §4.14.2: a thief uses a token first after the loss → the owner still refreshes, then reuse ends the session', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await lose(server, 1)
  const theft = await server.refresh(tokens[2])
  t.is(tokenOf(theft), tokens[3], 'only what was issued before')
  const owner = await server.refresh(tokens[3])
  t.is(owner.status, 200)
  server.clock.advance({ seconds: 31 })
  t.like(await server.refresh(tokenOf(theft)), refused)
  t.like(await server.refresh(tokenOf(owner)), refused)
})

test('two tabs after the loss → both get the same successor', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await lose(server, 0)
  const answers = await Promise.all([server.refresh(tokens[2]), server.refresh(tokens[2])])
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  )
  t.is(new Set(answers.map(tokenOf)).size, 1)
})

test('a token of another client, ahead of its session → refused, nothing changes', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await lose(server, 0)
  const rotate = (clientId: string) =>
    server.services.refreshRotation.rotate(decode(server, tokens[2]), { ...presenter, clientId })
  t.deepEqual(await rotate('other'), { outcome: 'other_client' })
  t.like(await family(server), { generation: 0 })
})

test('a session that ended in the lost time → stays ended if its revocation is known', async (t) => {
  const server = await startServer(t)
  const tokens = await chain(server)
  await server.revoke(tokens[2])
  await lose(server, 0)
  await server.db('refresh_families').update({ revoked_at: null, revoked_reason: null })
  t.like(await server.refresh(tokens[2]), refused)
  t.like(await family(server), { generation: 0 })
})

test('several generations of one session at once after a loss → the newest never loses its session', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const servers = [server, beside]
  await Promise.all(
    Array.from({ length: 20 }, (_, at) => servers[at % 2]?.db.raw('SELECT pg_sleep(0.02)')),
  )
  const counts: Record<string, number> = {}
  for (let round = 0; round < 40; round += 1) {
    const tokens = await chain(server)
    const content = await server.services.families.find(tokens[3])
    const sid = content?.sid
    await server.db('refresh_families').where({ sid }).update({ generation: 1, rotated_at: null })
    const rotate = (at: number): Promise<Rotation> =>
      (servers[at % 2] as TestServer).services.refreshRotation.rotate(
        decode(server, tokens[3]),
        presenter,
      )
    const rotations = await Promise.all(Array.from({ length: 12 }, (_, at) => rotate(at)))
    for (const { outcome } of rotations) counts[outcome] = (counts[outcome] ?? 0) + 1
    const successors = new Set(rotations.map((one) => 'token' in one && one.token))
    t.is(successors.size, 1)
    t.like(await server.db('refresh_families').where({ sid }).first(), { generation: 4 })
  }
  t.deepEqual(counts, { ahead: 40, repeated: 440 })
  t.is((await aheadEvents(server)).length, 40)
})

test('an older and the newest token at once after a loss → one order or the other, never two chains', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  for (let round = 0; round < 40; round += 1) {
    const tokens = await chain(server)
    const sid = (await server.services.families.find(tokens[3]))?.sid
    const where = { sid }
    await server.db('refresh_families').where(where).update({ generation: 1, rotated_at: null })
    const rotate = ({ services }: TestServer, at: number) =>
      services.refreshRotation.rotate(decode(server, tokens[at] as string), presenter)
    const pair = round % 2 === 0 ? ([2, 3] as const) : ([3, 2] as const)
    // On one instance they meet in one batch, on two they race in PostgreSQL.
    const other = round % 4 < 2 ? server : beside
    const [one, two] = await Promise.all([rotate(server, pair[0]), rotate(other, pair[1])])
    const [older, newest] = pair[0] === 2 ? [one, two] : [two, one]
    const row = await server.db('refresh_families').where(where).first()
    t.is(row.generation, 4)
    if (older?.outcome === 'reused') t.is(row.revoked_reason, 'reuse')
    else {
      t.like(older, { outcome: 'ahead', token: tokens[3] })
      t.like(newest, { outcome: 'rotated' })
    }
  }
})
