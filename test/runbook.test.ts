import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import pg from 'pg'
import { drills } from './drills/drills.ts'
import { faults } from './drills/faults.ts'
import { chapterOf } from './support/docs/documents.ts'
import { startServer } from './support/server/start-server.ts'

const operations = await readFile('docs/operations.md', 'utf8')
const failover = await readFile('docs/failover.md', 'utf8')

test('docs/operations.md has a row for each fault of the drills, and no session is lost in any', (t) => {
  const rows = chapterOf(operations, 'Faults and what they cost')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.slice(2).split(' | '))
  const expected = [...Object.keys(faults), ...Object.values(drills).map(({ fault }) => fault)]
  t.deepEqual(
    rows.map(([fault]) => fault),
    expected,
  )
  for (const [fault, lost] of rows) t.regex(lost ?? '', /^0 of \d+$/, fault)
})

/** The statements of a page, one by one. Those in a list are indented. */
const statementsOf = (page: string): string[] =>
  [...page.matchAll(/^( *)```sql\n(.*?)^\1```/gms)]
    .flatMap(([, , block = '']) => block.split(/;.*$/m))
    .map((sql) => sql.trim())
    .filter((sql) => sql !== '' && !sql.startsWith('--'))

test('the SQL of the runbook → PostgreSQL runs it as pasted, and a session that it ends is refused', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const { sid } = await server.db('refresh_families').first()
  const own = new pg.Client({ connectionString: server.databaseUrl })
  own.on('error', () => undefined)
  await own.connect()
  const roles = { signet_run: `run_${randomUUID()}`, signet_backup: `backup_${randomUUID()}` }
  t.teardown(async () => {
    for (const role of Object.values(roles)) {
      await own.query(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`)
    }
    await own.end()
  })
  const { pathname, username } = new URL(server.databaseUrl)
  const filledIn = (sql: string) =>
    sql
      .replace(/\bsignet_(run|backup)\b/g, (role) => `"${roles[role as keyof typeof roles]}"`)
      .replace("PASSWORD '…'", "PASSWORD 'x'")
      .replace('ON DATABASE signet', `ON DATABASE ${pathname.slice(1)}`)
      .replace('FOR ROLE signet', `FOR ROLE ${username}`)
      .replace('the sid', sid)
  // The drills change this setting, of all databases.
  const pasted = [...statementsOf(operations), ...statementsOf(failover)].filter(
    (sql) => !/ALTER SYSTEM|pg_reload_conf/.test(sql),
  )
  t.true(pasted.length > 20, `${pasted.length} statements`)
  // Chapters before that of the roles change them.
  const isFirst = (sql: string) => sql.startsWith('CREATE ROLE')
  for (const sql of [...pasted.filter(isFirst), ...pasted.filter((one) => !isFirst(one))]) {
    const { rowCount } = await own.query(filledIn(sql)).catch((error: Error) => {
      throw new Error(`${error.message}: ${sql}`)
    })
    if (sql.includes('the sid')) t.is(rowCount, 1, 'the session has ended')
  }
  t.like((await server.refresh(body.refresh_token)).body, { error: 'invalid_grant' })
})
