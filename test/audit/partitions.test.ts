import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { masterKeyText, testEnvironment } from '../../tools/fixtures.ts'
import { addPerson } from '../support/people/account-api.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const day = 86_400_000
const daysAgo = (days: number) => new Date(Date.now() - days * day)

async function scene(t: ExecutionContext<unknown>) {
  const server = await startServer(t)
  const cwd = await emptyFolder(t)
  const env = { ...testEnvironment, DATABASE_URL: server.databaseUrl, MASTER_KEYS: masterKeyText }
  const audit = (...args: string[]) => signet(['audit', ...args], { cwd, env })
  const happened = async (...days: number[]) => {
    for (const at of days.map(daysAgo)) {
      await server.db('audit_events').insert({ at, event: 'user.created', detail: '{}' })
    }
  }
  const all = () => server.db('audit_events').orderBy('id').select('id', 'at', 'event')
  return { server, cwd, audit, happened, all }
}

const partitionsOf = async ({ db }: TestServer): Promise<string[]> => {
  const { rows } = await db.raw(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
      WHERE inhparent = 'audit_events'::regclass ORDER BY 1`,
  )
  return rows.map(({ name }: { name: string }) => name)
}

test('the audit trail is partitioned while events are written → each event is there once, ids go on', async (t) => {
  const { server, audit, happened, all } = await scene(t)
  await happened(500, 300, 20, 0)
  const before = await all()
  let writing = true
  const written: string[] = []
  const writer = (async () => {
    for (let n = 0; writing; n += 1) {
      await server.services.audit.record({ event: 'user.signed_out', detail: { n } })
      written.push(String(n))
    }
  })()
  const { code, json, stderr } = await audit('partition', '--yes', '--json')
  writing = false
  await writer
  t.is(code, 0, stderr)
  t.is(json().partitions.length, 12, 'the past and two months, ten months, and the rest')
  const after = await all()
  t.deepEqual(after.slice(0, before.length), before)
  t.is(after.length, before.length + written.length)
  t.is(new Set(after.map(({ id }) => id)).size, after.length)
  const detail = await server.db('audit_events').where({ event: 'user.signed_out' }).orderBy('id')
  t.deepEqual(
    detail.map((event) => String(event.detail.n)),
    written,
  )
})

test('a partitioned trail → sign-ins, pages, and the erasure of a person work as before', async (t) => {
  const { server, audit } = await scene(t)
  t.is((await audit('partition', '--yes')).code, 0)
  const { id } = await addPerson(server, 'grace')
  t.is((await server.signIn()).status, 200)
  await server.services.administration.delete(id)
  await server.services.janitor.run()
  const events = await server.services.audit.page({}, 3)
  t.deepEqual(
    events.map(({ event }) => event),
    ['user.deleted', 'user.signed_in', 'user.created'],
  )
  const erased = events.find(({ event }) => event === 'user.created')
  t.deepEqual([erased?.ip, erased?.detail], [null, {}])
})

test('a release that deletes events by their place in the table → deletes none', async (t) => {
  const { server, audit, happened, all } = await scene(t)
  await happened(500, 0)
  await audit('partition', '--yes')
  const before = await all()
  const asBefore = server.db.raw(
    `DELETE FROM audit_events WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM audit_events WHERE at < now() - interval '400 days' ORDER BY at LIMIT 1000))`,
  )
  await t.throwsAsync(async () => asBefore, { message: /dropped by signet audit maintain/ })
  t.is((await server.services.janitor.run()).audit_events, 0)
  t.deepEqual(await all(), before)
})

test('months that are older than AUDIT_RETENTION_DAYS → exported completely, then dropped', async (t) => {
  const { server, cwd, audit, happened, all } = await scene(t)
  await happened(500, 450, 0)
  const events = await server.db('audit_events').orderBy('id')
  await audit('partition', '--yes')
  // Years later: the first partition is old, and no month of that time exists.
  await server.db.raw(`
    ALTER TABLE audit_events DETACH PARTITION ${(await partitionsOf(server)).find((name) => name.includes('until'))}`)
  const [old = ''] = await tablesLike(server, 'audit_events_until_%')
  await server.db.raw(`ALTER TABLE ${old} RENAME TO audit_events_until_2020_01`)
  await server.db.raw(`UPDATE audit_events_until_2020_01 SET at = at - interval '10 years'`)
  await server.db.raw(
    `ALTER TABLE audit_events ATTACH PARTITION audit_events_until_2020_01 FOR VALUES FROM (MINVALUE) TO ('2020-01-01Z')`,
  )
  const refused = await audit('maintain')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /audit_events_until_2020_01 can be dropped: add --export/)
  t.is((await all()).length, events.length)
  const { code, json, stderr } = await audit('maintain', '--export', cwd, '--json')
  t.is(code, 0, stderr)
  t.deepEqual(json().dropped, ['audit_events_until_2020_01'])
  const file = join(cwd, 'audit_events_until_2020_01.jsonl')
  t.is((await stat(file)).mode & 0o777, 0o600)
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  t.deepEqual(
    lines.map((line) => JSON.parse(line).id),
    events.map(({ id }) => id),
  )
  t.deepEqual(
    (await readdir(cwd)).filter((name) => name.endsWith('.partial')),
    [],
  )
  t.deepEqual(await all(), [])
  t.is((await server.signIn()).status, 200, 'the next event has a partition')
})

const tablesLike = async ({ db }: TestServer, pattern: string): Promise<string[]> => {
  const { rows } = await db.raw(
    `SELECT relname AS name FROM pg_class WHERE relname LIKE ? AND relkind = 'r'`,
    [pattern],
  )
  return rows.map(({ name }: { name: string }) => name)
}

test('no month was created in time → events are kept, and move into their month later', async (t) => {
  const { server, audit, all } = await scene(t)
  await audit('partition', '--yes')
  const later = new Date(Date.now() + 150 * day)
  const month = `audit_events_${later.toISOString().slice(0, 7).replace('-', '_')}`
  await server.db.raw(`DROP TABLE ${month}`)
  await server.db('audit_events').insert({ at: later, event: 'user.created', detail: '{}' })
  const before = await all()
  t.is((await server.db('audit_events_rest')).length, 1)
  const { json } = await audit('maintain', '--json')
  t.deepEqual(json(), { created: [month], dropped: [] })
  t.is((await server.db('audit_events_rest')).length, 0)
  t.deepEqual(await all(), before)
})

test('the role that serves has few privileges → it writes and reads the partitioned trail', async (t) => {
  const { server, audit } = await scene(t)
  const role = `runner_${process.pid}_${Date.now()}`
  await server.db.raw(`CREATE ROLE ${role} LOGIN PASSWORD 'of the test'`)
  await server.db.raw(
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
  )
  t.is((await audit('partition', '--yes')).code, 0)
  const url = new URL(server.databaseUrl)
  url.username = role
  url.password = 'of the test'
  const client = new pg.Client(url.href)
  await client.connect()
  await client.query(`INSERT INTO audit_events (at, event) VALUES (now(), 'user.created')`)
  const { rows } = await client.query(`SELECT FROM audit_events WHERE event = 'user.created'`)
  await client.end()
  t.is(rows.length, 1)
  await server.db.raw(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
})

test('a table that stays locked, or is partitioned already → an error, and the trail as it was', async (t) => {
  const { audit, happened, all } = await scene(t)
  await happened(1)
  t.regex((await audit('partition')).stderr, /then add --yes/)
  t.regex((await audit('maintain')).stderr, /is not partitioned/)
  const before = await all()
  t.is((await audit('partition', '--yes')).code, 0)
  t.regex((await audit('partition', '--yes')).stderr, /partitioned already/)
  t.deepEqual(await all(), before)
})

test('the partitioning was killed, or the maintenance does not run → doctor says so', async (t) => {
  const { server, cwd, audit } = await scene(t)
  const env = { ...testEnvironment, DATABASE_URL: server.databaseUrl, MASTER_KEYS: masterKeyText }
  const finding = async () => {
    const { json } = await signet(['doctor', '--json'], { cwd, env })
    const findings: { check: string; state: string; message: string }[] = json().findings
    return findings.find(({ check }) => check === 'audit trail')
  }
  t.is(await finding(), undefined)
  await server.db.raw(
    `ALTER TABLE audit_events ADD CONSTRAINT audit_events_until CHECK (at < '2099-05-01T00:00:00Z') NOT VALID`,
  )
  t.like(await finding(), { state: 'failed' })
  t.regex((await finding())?.message ?? '', /no event is accepted from 2099-05-01/)
  t.is((await audit('partition', '--yes')).code, 0, 'it is run again')
  t.like(await finding(), { state: 'ok' })
  for (const name of await partitionsOf(server)) {
    if (!name.endsWith('_rest')) await server.db.raw(`DROP TABLE ${name}`)
  }
  t.like(await finding(), { state: 'warning' })
})
