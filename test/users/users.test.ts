import test from 'ava'
import { UserError, userColumns } from '../../src/users/user.ts'
import { disable, named } from '../support/people/administer-people.ts'
import { startServer } from '../support/server/start-server.ts'

const password = 'another long password'

test('two people with one name → the first gets it, in every spelling', async (t) => {
  const server = await startServer(t)
  const { users } = server.services
  const names = ['grace', 'Grace', 'GRACE', 'gr\uff41ce', ' grace ']
  const results = await Promise.allSettled(
    names.map((username) => users.create({ username, password, roles: [] })),
  )
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) {
    if (result.status === 'rejected') t.true(result.reason instanceof UserError)
  }
  for (const username of ['grace', 'GrAcE']) {
    t.is((await server.signIn({ username, password })).status, 200)
  }
})

test('malformed names and roles → refused with the reason', async (t) => {
  const server = await startServer(t)
  const { users } = server.services
  for (const username of ['', ' ', 'two words', 'line\nbreak', 'nul\0', 'x'.repeat(201)]) {
    await t.throwsAsync(users.create({ username, password, roles: [] }), {
      instanceOf: UserError,
      message: /username/,
    })
  }
  for (const role of ['', 'two words', 'x'.repeat(65), 'ü']) {
    await t.throwsAsync(users.create({ username: 'grace', password, roles: [role] }), {
      instanceOf: UserError,
      message: /role/,
    })
  }
  t.deepEqual(
    (await users.page({}, 10)).map(({ username }) => username),
    ['ada'],
  )
})

test('an unknown person → cannot be changed', async (t) => {
  const { services } = await startServer(t)
  const nobody = '01a1fd39-c4b9-70a0-9381-6bbfc50cf8dd'
  const unknown = { instanceOf: UserError, message: /no such user/ }
  await t.throwsAsync(services.administration.disable(nobody), unknown)
  const [ada] = await services.users.page({}, 1)
  if (!ada) throw new Error('ada is there')
  await t.throwsAsync(services.credentials.set({ ...ada, id: nobody }, password), unknown)
})

test('disabling twice → keeps the first time', async (t) => {
  const server = await startServer(t)
  await server.services.users.create({ username: 'grace', password, roles: ['admin'] })
  await disable(server, 'ada')
  const first = await named(server, 'ada')
  server.clock.advance({ hours: 1 })
  t.deepEqual(await disable(server, 'ada'), { sessions: 0 })
  t.deepEqual((await named(server, 'ada')).disabledAt, first.disabledAt)
})

test('every column of a person is a declared field, or hidden on purpose', async (t) => {
  const server = await startServer(t)
  const columns = Object.keys(await server.db('users').columnInfo())
  const hidden = [
    ...['username_key', 'email_key', 'password_hash', 'verify_by', 'devices_reset_at'],
    ...['new_device_at', 'new_device_origin', 'new_device_mails'],
  ]
  t.deepEqual(columns.sort(), [...userColumns, ...hidden].sort())
})

test('ASVS 14.2.6: the export of personal data → every declared field', async (t) => {
  const server = await startServer(t)
  const { id } = await server.services.users.create({ username: 'grace', password })
  const { person } = await server.services.personalData.export(id, '127.0.0.1')
  const names = userColumns.map((column) => column.replace(/^email_verified_at$/, 'email_verified'))
  t.deepEqual(Object.keys(person).sort(), names.sort())
})
