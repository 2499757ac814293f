import test from 'ava'
import { startConformingServer } from '../../support/http/conformance.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  pointers,
} from '../../support/people/account-api.ts'
import { type AdminApi, addAdmin } from '../../support/people/administrator.ts'

interface Event {
  readonly id: string
  readonly at: string
  readonly event: string
  readonly user_id: string | null
}

async function walk(admin: AdminApi, query: string, between?: () => Promise<unknown>) {
  const events: Event[] = []
  let after = ''
  for (let pages = 0; pages < 100; pages += 1) {
    const { body } = await admin.get(`audit?${query}${after}`)
    events.push(...body.events)
    if (body.next === null) return events
    after = `&after=${body.next}`
    await between?.()
  }
  throw new Error('the pages have no end')
}

test('ASVS 16.2.1: a filter by person, client, event and time → the matching events', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  await enter(server, 'grace')
  await accountApi(server).post('login', { username: 'grace', password: 'wrong' })
  await server.signIn({ username: 'grace', password: goodPassword })
  const names = async (query: string) => (await walk(admin, query)).map(({ event }) => event)
  const of = `user_id=${id}`
  t.deepEqual(await names(of), ['user.signed_in', 'user.signed_in', 'user.created'])
  t.deepEqual(await names(`${of}&client_id=app`), ['user.signed_in'])
  t.deepEqual(await names('client_id=account&event=user.sign_in_failed'), ['user.sign_in_failed'])
  t.deepEqual(await names(`${of}&event=user.created`), ['user.created'])
  t.deepEqual(await names('event=nothing'), [])
  t.deepEqual(await names('event=user.%25'), [])

  const noon = server.clock.now()
  server.clock.advance({ minutes: 5 })
  await enter(server, 'grace')
  const from = encodeURIComponent(noon.toISOString())
  t.deepEqual(await names(`${of}&from=${from}`), ['user.signed_in'])
  t.is((await names(`${of}&until=${from}`)).length, 3)
  const [newest] = await walk(admin, of)
  const exactly = encodeURIComponent(newest?.at ?? '')
  t.is((await names(`${of}&until=${exactly}`)).length, 3, 'until is exclusive')
  for (const wrong of ['user_id=x', 'from=yesterday', 'limit=501', 'after=x', 'sid=x']) {
    t.deepEqual(pointers(await admin.get(`audit?${wrong}`)), [`/${wrong.split('=')[0]}`])
  }
})

test('the trail grows while pages are read → no gaps and no repeats', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  await addPerson(server, 'grace')
  for (let i = 0; i < 11; i += 1) await enter(server, 'grace')
  const expected = await server.db('audit_events').orderBy('id', 'desc').pluck('id')
  const seen = await walk(admin, 'limit=3', () => enter(server, 'grace'))
  t.deepEqual(
    seen.map(({ id }) => id),
    expected,
  )
})

test('ASVS 16.2.5: actions of administrators → in the trail with the actor and without secrets', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const made = await admin.post('users', { username: 'grace', password: goodPassword })
  const { id } = made.body
  const all = { roles: ['editor'], disabled: true, must_change_password: true, unlock: true }
  await admin.patch(`users/${id}`, { ...all, end_sessions: true })
  await admin.patch(`users/${id}`, { disabled: false })
  await admin.delete(`users/${id}`)
  const wished = { client_id: 'shop', grant_types: ['client_credentials'], audiences: ['shop'] }
  const shop = await admin.post('clients', wished)
  await admin.patch('clients/shop', { name: 'x', disabled: true, rotate_secret: true })
  await admin.delete('clients/shop')
  // Events about a person who was deleted since are erased with everything about that person.
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
  const { body, text } = await admin.get('audit?limit=500')
  const own = body.events.filter(
    ({ detail }: { detail: { by?: string } }) => detail.by === admin.id,
  )
  t.deepEqual(own.map(({ event }: Event) => event).sort(), [
    ...['client.changed', 'client.created', 'client.deleted', 'client.disabled'],
    ...['client.secret_rotated', 'user.deleted'],
  ])
  t.true(own.every(({ ip }: { ip: string | null }) => ip === '127.0.0.1'))
  t.false(text.includes(goodPassword) || text.includes(shop.body.client_secret))
})
