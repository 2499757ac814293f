// Alone: its hundreds of requests at once would hold up every other test of the process.
import test from 'ava'
import type { Rotation } from '../../src/sessions/refresh-rotation.ts'
import { app } from '../../tools/fixtures.ts'
import type { Answer } from '../../tools/http-client.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { decode } from './decode.ts'

const tokenOf = (answer: Answer): string => answer.body.refresh_token
const presenter = { clientId: app.id, idleSeconds: 86_400 }
const callers = 50

/** The same call many times at once, half of them on each instance. */
const together = <T>(
  servers: readonly [TestServer, TestServer],
  call: (server: TestServer) => Promise<T>,
): Promise<T[]> =>
  Promise.all(Array.from({ length: callers }, (_, at) => call(servers[at % 2 === 0 ? 0 : 1])))

/** Opens the connections first: otherwise the first callers would wait while others finish. */
async function twoWarmServers(t: Parameters<typeof startServer>[0]) {
  const server = await startServer(t)
  const servers = [server, await startServer(t, { beside: server })] as const
  await together(servers, ({ db }) => db.raw('SELECT pg_sleep(0.02)'))
  return servers
}

const family = (server: TestServer) => server.db('refresh_families').first()

test('50 concurrent refreshes of one token on two instances → one live chain, one successor', async (t) => {
  const servers = await twoWarmServers(t)
  let token = tokenOf(await servers[0].signIn())
  for (let round = 1; round <= 6; round += 1) {
    const spent = token
    const answers = await together(servers, (server) => server.refresh(spent))
    t.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    const successors = new Set(answers.map(tokenOf))
    t.is(successors.size, 1, 'everybody holds the same successor')
    t.is(new Set(answers.map(({ body }) => body.access_token)).size, callers)
    token = tokenOf(answers[0] as Answer)
    t.like(await family(servers[0]), { generation: round, revoked_at: null })
  }
  t.is((await servers[1].refresh(token)).status, 200)
})

test('at the store exactly one of 50 rotates, and the others get its successor', async (t) => {
  const servers = await twoWarmServers(t)
  let token = tokenOf(await servers[0].signIn())
  for (let round = 1; round <= 40; round += 1) {
    const spent = token
    const rotations = await together(servers, ({ services }) =>
      services.refreshRotation.rotate(services.codec.decode(spent), presenter),
    )
    const outcomes = rotations.map(({ outcome }) => outcome).sort()
    t.deepEqual(outcomes, [...Array(callers - 1).fill('repeated'), 'rotated'])
    const successors = new Set(rotations.map((rotation) => 'token' in rotation && rotation.token))
    t.is(successors.size, 1)
    token = [...successors][0] || ''
  }
  t.like(await family(servers[0]), { generation: 40, revoked_at: null })
})

test('RFC 9700 §4.14.2: 50 uses of a spent token after the grace period → no token works', async (t) => {
  const servers = await twoWarmServers(t)
  const spent = tokenOf(await servers[0].signIn())
  const heir = tokenOf(await servers[0].refresh(spent))
  servers[0].clock.advance({ seconds: 31 })
  const answers = await together(servers, (server) => server.refresh(spent))
  t.true(answers.every(({ status, body }) => status === 400 && body.error === 'invalid_grant'))
  for (const server of servers) t.is((await server.refresh(heir)).status, 400)
  t.is((await servers[0].db('audit_events').where({ event: 'session.reused' })).length, 1)
})

test('50 uses after the grace period at the store → each is answered reuse, the session ends once', async (t) => {
  const servers = await twoWarmServers(t)
  for (let round = 0; round < 15; round += 1) {
    const spent = tokenOf(await servers[0].signIn())
    const rotate = ({ services }: TestServer) =>
      services.refreshRotation.rotate(services.codec.decode(spent), presenter)
    await rotate(servers[0])
    servers[0].clock.advance({ seconds: 31 })
    const outcomes = (await together(servers, rotate)).map(({ outcome }) => outcome)
    t.true(outcomes.includes('reused'))
    t.deepEqual(
      outcomes.filter((outcome) => outcome !== 'reused' && outcome !== 'revoked'),
      [],
    )
  }
  const families = await servers[0].db('refresh_families')
  t.true(families.every(({ revoked_reason }) => revoked_reason === 'reuse'))
  t.is((await servers[0].db('audit_events').where({ event: 'session.reused' })).length, 15)
  t.is((await servers[0].db('revocations').where({ kind: 'sid' })).length, 15)
})

test('a refresh whose session is locked waits for the lock alone, and then gets its successor', async (t) => {
  const [server] = await twoWarmServers(t)
  const tokens = [await server.signIn(), await server.signIn(), await server.signIn()].map(tokenOf)
  const locked = await server.services.families.find(tokens[2] ?? '')
  const rotations = await server.db.transaction(async (trx) => {
    await trx('refresh_families').where({ sid: locked?.sid }).forUpdate().first()
    // The first goes alone, so that the other two go together.
    const under = tokens.map((token) =>
      server.services.refreshRotation.rotate(decode(server, token), presenter),
    )
    for (const free of under.slice(0, 2)) t.is((await free).outcome, 'rotated')
    return { under }
  })
  t.is((await rotations.under[2])?.outcome, 'rotated')
})

test('REF-3: a reuse concurrent with a rotation wins: no token of the session works', async (t) => {
  const servers = await twoWarmServers(t)
  const counts: Record<string, number> = {}
  for (let round = 0; round < 60; round += 1) {
    const stolen = tokenOf(await servers[0].signIn())
    const rotate = (server: TestServer, token: string): Promise<Rotation> =>
      server.services.refreshRotation.rotate(decode(server, token), presenter)
    const first = await rotate(servers[0], stolen)
    const newest = 'token' in first ? first.token : ''
    servers[0].clock.advance({ seconds: 31 })
    const [fair, reuse] = await Promise.all(
      round % 2 === 0
        ? [rotate(servers[0], newest), rotate(servers[1], stolen)]
        : [rotate(servers[1], newest), rotate(servers[0], stolen)],
    )
    counts[fair.outcome] = (counts[fair.outcome] ?? 0) + 1
    t.is(reuse.outcome, 'reused')
    t.true(fair.outcome === 'rotated' || fair.outcome === 'revoked', fair.outcome)
    for (const token of [newest, 'token' in fair ? fair.token : newest, stolen]) {
      t.like(await rotate(servers[1], token), { outcome: 'revoked' })
    }
  }
  const live = await servers[0].db('refresh_families').whereNull('revoked_at')
  t.deepEqual(live, [], JSON.stringify(counts))
})

test('REF-3: over HTTP the access token of a rotation that met a reuse is inactive', async (t) => {
  const [server, beside] = await twoWarmServers(t)
  for (let round = 0; round < 10; round += 1) {
    const stolen = tokenOf(await server.signIn())
    const newest = tokenOf(await server.refresh(stolen))
    server.clock.advance({ seconds: 31 })
    const [fair, reuse] = await Promise.all([server.refresh(newest), beside.refresh(stolen)])
    t.is(reuse.status, 400)
    if (fair.status === 200) {
      t.false((await beside.introspect(fair.body.access_token)).body.active)
      t.is((await server.refresh(tokenOf(fair))).status, 400)
    }
  }
})
