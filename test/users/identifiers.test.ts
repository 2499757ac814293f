import test from 'ava'
import { foldIdentifier } from '../../src/identifier.ts'
import { explain } from '../../src/server/explain.ts'
import { migrate, migrationSource } from '../../src/stores/migrations.ts'
import { fromElsewhere } from '../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
} from '../support/people/account-api.ts'
import { bringIn } from '../support/people/people.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const environment = { TRUSTED_PROXIES: 'loopback' }
const ours = [
  '20261130060001_identifier_columns',
  '20261130070001_identifier_keys',
  '20261130070004_identifier_indexes',
]

async function undo({ db }: TestServer): Promise<void> {
  for (const name of ours.toReversed()) await db.migrate.down({ migrationSource, name } as never)
}

/** The statements of the release before. */
const asBefore = ({ db }: TestServer) => ({
  find: (username: string) =>
    db('users').whereRaw('lower(username) = lower(?)', [username]).pluck('id'),
  insert: (username: string, email: string | null = null) =>
    db.raw(
      `INSERT INTO users (id, username, email, password_hash, password_changed_at, roles, created_at)
       SELECT gen_random_uuid(), ?, ?, 'none', now(), '{}', now() ON CONFLICT DO NOTHING RETURNING id`,
      [username, email],
    ),
})

// Serial, because it keeps the event loop to itself for a second.
test.serial('the key of a key → the same key, for every character', (t) => {
  const unstable: string[] = []
  for (let code = 1; code < 0x110000; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue
    const key = foldIdentifier(`a${String.fromCodePoint(code)}b`)
    if (foldIdentifier(key) !== key) unstable.push(code.toString(16))
  }
  t.deepEqual(unstable, [])
  const same = [
    ['İnİtiative', 'initiative'],
    ['ΟΔΟΣ', 'οδος', 'οδοσ'],
    ['ﬁn', 'FIN', ' fin '],
    ['J̌o', 'ǰo'],
  ]
  for (const [first = '', ...others] of same) {
    for (const other of others) t.is(foldIdentifier(other), foldIdentifier(first))
  }
  for (const [one = '', other = ''] of [
    ['weiß', 'weiss'],
    ['ılık', 'ilik'],
  ]) {
    t.not(foldIdentifier(one), foldIdentifier(other))
  }
})

test('ASVS 6.3.1: spellings of one name → one counter of guesses', async (t) => {
  const server = await startServer(t, { environment })
  await addPerson(server, 'initiative')
  const bits = Array.from({ length: 16 }, (_, index) => index)
  const spelled = (mask: number) => {
    let at = 0
    return 'initiative'.replaceAll('i', (letter) => ((mask >> at++) & 1 ? 'İ' : letter))
  }
  const answers = await Promise.all(
    bits.map((mask) => {
      const guess = { username: spelled(mask), password: otherPassword }
      return accountApi(server).post('login', guess, fromElsewhere())
    }),
  )
  const checked = answers.filter(({ status }) => status === 401).length
  // Five are free, and on a slow machine a delay may end in between.
  t.true(checked >= 5 && checked <= 8, `${checked} were checked`)
  t.is(answers.filter(({ status }) => status === 429).length, 16 - checked)
})

test('every spelling of a name → finds the person, and is taken', async (t) => {
  const server = await startServer(t)
  const { id } = await addPerson(server, 'İnİtiative', { email: 'Ini@People.example' })
  for (const name of ['initiative', 'INITIATIVE', 'İNİTİATİVE']) {
    t.is((await (await enter(server, name)).get('me')).body.id, id, name)
    await t.throwsAsync(server.services.users.create({ username: name }), { name: 'UserError' })
  }
  const refused = await bringIn(server, [{ username: 'other', email: 'INI@people.example' }])
  t.is(refused[0]?.reason, 'email: taken by somebody else')
})

test('a name written by the release before → found, unique, and given its key', async (t) => {
  const server = await startServer(t)
  const before = asBefore(server)
  const { rows } = await before.insert('Όλγα', 'Olga@people.example')
  const [{ id }] = rows
  const find = async (name: string) => (await server.services.users.candidate(name))?.user.id
  t.deepEqual([await find('όλγα'), await find('olga@PEOPLE.example')], [id, id])
  await t.throwsAsync(server.services.users.create({ username: 'ΌΛΓΑ' }), { name: 'UserError' })
  const sweep = () => server.services.janitor.run()
  await sweep()
  const keys = () => server.db('users').where({ id }).first('username_key', 'email_key')
  t.deepEqual(await keys(), { username_key: 'όλγα', email_key: 'olga@people.example' })

  // It renames people without changing the key: only the new name finds the person.
  await server.db('users').where({ id }).update({ username: 'Renamed' })
  t.deepEqual([await find('όλγα'), await find('RENAMED')], [undefined, id])
  await sweep()
  t.is((await keys()).username_key, 'renamed')

  const { id: ours } = await addPerson(server, 'Grace')
  t.deepEqual(await before.find('GRACE'), [ours], 'the release before finds people of this one')
  t.is((await before.insert('gRACE')).rows.length, 0)
})

test('migration down and up again → no person is lost', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'Grace')
  await undo(server)
  const { rows } = await asBefore(server).insert('ΟΔΟΣ')
  t.is((await asBefore(server).find('grace')).length, 1)
  t.deepEqual(await migrate(server.db), ours)
  const find = async (name: string) => (await server.services.users.candidate(name))?.user.id
  t.is(await find('οδος'), rows[0].id)
  t.is((await (await enter(server, 'GRACE', goodPassword)).get('me')).body.username, 'Grace')
})

test('people whose names become equal → the migration names their ids and changes no row', async (t) => {
  const server = await startServer(t)
  await undo(server)
  const before = asBefore(server)
  const ids: string[] = []
  // PostgreSQL distinguishes the two sigmas.
  for (const name of ['οδος', 'οδοσ', 'unrelated']) ids.push((await before.insert(name)).rows[0].id)
  const error = await t.throwsAsync(migrate(server.db))
  const [first, second] = ids.slice(0, 2).sort()
  t.regex(error?.message ?? '', new RegExp(`username of ${first} and ${second}`))
  t.notRegex(error?.message ?? '', new RegExp(`${ids[2]}|οδος`))
  t.is(explain(error), error?.message, 'the command prints it without a stack')
  t.deepEqual(await server.db('users').whereNotNull('username_key'), [])
  await server.db('users').where({ id: second }).update({ username: 'another' })
  t.deepEqual(await migrate(server.db), ours.slice(1))
})

test('the release before writes two names with one key → the lower id gets it, the other is logged once', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const before = asBefore(server)
  const ids: string[] = []
  for (const name of ['οδος', 'οδοσ', 'unrelated']) ids.push((await before.insert(name)).rows[0].id)
  for (let walk = 0; walk < 2; walk += 1) await server.services.janitor.run()
  const keyOf = async (id = '') => (await server.db('users').where({ id }).first())?.username_key
  const [first, second] = ids.slice(0, 2).sort()
  t.deepEqual([await keyOf(first), await keyOf(second)], ['οδοσ', null])
  t.is(await keyOf(ids[2]), 'unrelated')
  const warned = lines.filter((line) => line.includes('have the same username or email'))
  t.is(warned.length, 1)
  t.true(warned[0]?.includes(second ?? '-'))
})
