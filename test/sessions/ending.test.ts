import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { ada, app } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { checked, disable, setPassword } from '../support/people/administer-people.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { decode } from './decode.ts'

const refused = { status: 400, body: { error: 'invalid_grant' } }
const inactive = { active: false }

const liveFamilies = (server: TestServer) => server.db('refresh_families').whereNull('revoked_at')

const audited = (server: TestServer, event: string) => server.db('audit_events').where({ event })

test('ASVS 7.4.2: disabling a person ends all of their sessions at once', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const sessions = [await server.signIn(), await server.signIn()]
  t.deepEqual(await disable(beside, 'ADA'), { sessions: 2 })
  for (const { body } of sessions) {
    t.deepEqual((await server.introspect(body.access_token)).body, inactive)
    t.deepEqual((await server.introspect(body.refresh_token)).body, inactive)
    t.like(await server.refresh(body.refresh_token), refused)
  }
  t.like(await server.signIn(), refused)
  t.like(await audited(server, 'user.disabled').first(), { detail: { sessions: 2 } })
})

test('ASVS 7.4.3: a new password ends every session that began with the old one', async (t) => {
  const server = await startServer(t)
  const before = await server.signIn()
  const password = 'another long password'
  t.deepEqual(await setPassword(server, 'ada', password), { sessions: 1 })
  t.deepEqual((await server.introspect(before.body.access_token)).body, inactive)
  t.like(await server.refresh(before.body.refresh_token), refused)
  t.like(await server.signIn(), refused)
  const after = await server.signIn({ password })
  t.true((await server.introspect(after.body.access_token)).body.active)
  t.like(await audited(server, 'user.password_set').first(), { detail: { sessions: 1 } })
})

test('disabling a client ends its sessions and its access tokens', async (t) => {
  const server = await startServer(t)
  const person = await server.signIn()
  const machine = await server.clientCredentials()
  const as = await register(server, 'watcher', { introspects: ['*'] })
  t.true((await server.introspect(machine.body.access_token, as)).body.active)
  t.deepEqual(await server.services.clients.disable('app'), { sessions: 1, more: false })
  for (const token of [person.body.access_token, machine.body.access_token]) {
    t.deepEqual((await server.introspect(token, as)).body, inactive)
  }
  t.like(await server.refresh(person.body.refresh_token), { status: 401 })
  t.like(await server.clientCredentials(), { status: 401, body: { error: 'invalid_client' } })
  t.like(await audited(server, 'client.disabled').first(), { detail: { sessions: 1 } })
})

test('a client is disabled in its row alone → none of its sessions is refreshed, alone or in a batch', async (t) => {
  const server = await startServer(t)
  const tokens = [await server.signIn(), await server.signIn(), await server.signIn()].map(
    ({ body }) => body.refresh_token as string,
  )
  await server.db('clients').where({ id: app.id }).update({ disabled_at: new Date() })
  const rotations = await Promise.all(
    tokens.map((token) =>
      server.services.refreshRotation.rotate(decode(server, token), {
        clientId: app.id,
        idleSeconds: 600,
      }),
    ),
  )
  t.deepEqual(rotations, Array(3).fill({ outcome: 'client_disabled' }))
  t.like(await server.refresh(tokens[0] as string), refused, 'this instance still knows the client')
  t.deepEqual((await server.introspect(tokens[0] as string)).body, inactive)
  t.deepEqual(await server.db('refresh_families').distinct('generation'), [{ generation: 0 }])
  const { user_id: person } = await server.db('refresh_families').first()
  t.deepEqual(await server.services.families.list(person), [])
})

interface Race {
  readonly end: () => Promise<unknown>
  /** Makes the next round possible. */
  readonly again: () => Promise<unknown>
}

/**
 * Races sign-ins whose password is checked already against a change that ends them: one starts with it, others are spread
 * over twice the time that it took in the last round, so that some come before it and some after.
 */
async function raceWithSignIns(server: TestServer, { end, again }: Race) {
  const counts = { begun: 0, stopped: 0, survivors: 0 }
  let milliseconds = 5
  for (let round = 0; round < 60; round += 1) {
    const user = await checked(server, ada.username, ada.password)
    if (!user) throw new Error('the password is right')
    const begin = async (share: number) => {
      if (share > 0) await sleep(Math.random() * share * milliseconds)
      return server.services.families.begin({
        user,
        clientId: app.id,
        scope: ['read'],
        audience: ['x'],
        authTime: server.clock.now(),
        amr: ['pwd'],
        idleSeconds: 600,
        absoluteSeconds: 600,
      })
    }
    const ending = async () => {
      const startedAt = performance.now()
      await end()
      milliseconds = performance.now() - startedAt
    }
    const [, ...sessions] = await Promise.all([ending(), ...[0, 1, 2, 2].map(begin)])
    for (const session of sessions) counts[session ? 'begun' : 'stopped'] += 1
    counts.survivors += (await liveFamilies(server)).length
    await again()
  }
  return counts
}

const bothWin = ({ begun, stopped }: { begun: number; stopped: number }) => begun > 0 && stopped > 0

test('a sign-in while its person is disabled never leaves a session', async (t) => {
  const server = await startServer(t)
  const counts = await raceWithSignIns(server, {
    end: () => disable(server, 'ada'),
    again: () => server.db('users').update({ disabled_at: null }),
  })
  t.is(counts.survivors, 0)
  t.true(bothWin(counts), JSON.stringify(counts))
})

test('a sign-in while its client is disabled never leaves a session', async (t) => {
  const server = await startServer(t)
  const counts = await raceWithSignIns(server, {
    end: () => server.services.clients.disable(app.id),
    again: () => server.db('clients').update({ disabled_at: null }),
  })
  t.is(counts.survivors, 0)
  t.true(bothWin(counts), JSON.stringify(counts))
})

test('a sign-in with the old password while a new one is set leaves no session', async (t) => {
  const server = await startServer(t)
  const { password_hash } = await server.db('users').first()
  const counts = await raceWithSignIns(server, {
    end: () => setPassword(server, 'ada', 'another long password'),
    again: () => server.db('users').update({ password_hash }),
  })
  t.is(counts.survivors, 0)
  t.true(bothWin(counts), JSON.stringify(counts))
})

test('a new password has a later time even by a clock that lags', async (t) => {
  const server = await startServer(t)
  const ahead = new Date(server.clock.now().getTime() + 60_000)
  await server.db('users').update({ password_changed_at: ahead })
  for (const password of ['another long password', 'and a third long one']) {
    const before = (await server.db('users').first()).password_changed_at
    await setPassword(server, 'ada', password)
    t.true((await server.db('users').first()).password_changed_at > before)
  }
})
