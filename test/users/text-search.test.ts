import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { copyTemplate, startServer } from '../support/server/start-server.ts'

const trigrams = `
  CREATE EXTENSION pg_trgm;
  CREATE INDEX users_text ON users
    USING gin (lower(username) gin_trgm_ops, lower(email) gin_trgm_ops, lower(full_name) gin_trgm_ops)`

const crowd = `
  INSERT INTO users (id, username, email, full_name, password_hash, password_changed_at, roles, created_at)
  SELECT gen_random_uuid(), md5(i::text), md5(i::text) || '@elsewhere.example', md5(i || 'x'), '-', now(), '{}', now()
    FROM generate_series(1, 60000) AS i`

/** A server on a prepared database, and the search of administrators. */
async function searching(t: ExecutionContext, ...prepare: string[]) {
  const database = await copyTemplate(t)
  const own = new pg.Client({ connectionString: database })
  await own.connect()
  t.teardown(() => own.end())
  for (const sql of prepare) await own.query(sql)
  const server = await startServer(t, { database })
  const person = {
    username: 'g.hopper',
    email: 'grace@navy.example',
    fullName: 'Amazing 100% Grace',
  }
  await server.services.users.create(person)
  await server.services.users.create({ username: 'joan_clarke' })
  const found = async (text: string) =>
    (await server.services.users.page({ text }, 50)).map(({ username }) => username)
  return { server, own, found }
}

test('an index of trigrams → a text of three letters is found anywhere in username, address and full name', async (t) => {
  const { server, own, found } = await searching(t, crowd, trigrams, 'ANALYZE users')
  for (const text of ['HOPP', '@navy', 'zing 100%', 'g.hop']) {
    t.deepEqual(await found(text), ['g.hopper'], text)
    t.is(await server.services.users.count({ text }), 1, text)
  }
  t.deepEqual(await found('n_cla'), ['joan_clarke'])
  t.deepEqual(await found('n%cla'), [], 'a letter like others')
  t.deepEqual(await found('op'), [], 'too short: from the beginning')
  t.deepEqual(await found('g.'), ['g.hopper'])

  const asked: { sql: string; bindings: unknown[] }[] = []
  // The server asks for other things meanwhile.
  server.db.on('query', (query) => query.sql.includes('"users"') && asked.push(query))
  await found('hopper')
  await found('g.')
  t.is(asked.length, 2)
  for (const { sql, bindings } of asked) {
    const plan = (await own.query(`EXPLAIN ${sql}`, bindings)).rows
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
    t.notRegex(lines, /Seq Scan|users_pkey/, lines)
  }
})

for (const [given, ...prepare] of [
  ['no index of trigrams'],
  ['the extension without the index', 'CREATE EXTENSION pg_trgm'],
] as const) {
  test(`${given} → a text is found where a username or an address begins`, async (t) => {
    const { found } = await searching(t, ...prepare)
    t.deepEqual(await found('G.HOP'), ['g.hopper'])
    t.deepEqual(await found('grace@'), ['g.hopper'])
    t.deepEqual(await found('hopper'), [])
    t.deepEqual(await found('amazing'), [])
  })
}
