import { once } from 'node:events'
import { access, chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { masterKeyText, production } from '../../../tools/fixtures.ts'
import { startRedisServer } from '../../../tools/redis-server.ts'
import { administer } from '../../../tools/template.ts'
import { emptyFolder, serve, signet } from '../../support/server/signet.ts'
import { copyTemplate } from '../../support/server/start-server.ts'

interface Finding {
  check: string
  state: string
  message: string
  advice?: string
}

async function examine(cwd: string, env: Record<string, string>) {
  const { code, stdout, json, stderr } = await signet(['doctor', '--json'], { cwd, env })
  if (stdout === '') throw new Error(stderr)
  const findings: Finding[] = json().findings
  const of = (check: string) => findings.filter((finding) => finding.check === check)
  return { code, ok: json().ok as boolean, findings, of }
}

/** A patient on the stores of the tests. `sql` makes it ill. */
async function patient(t: ExecutionContext<unknown>, ...sql: string[]) {
  const cwd = await emptyFolder(t)
  const url = await copyTemplate(t)
  const name = url.split('/').at(-1)
  // In front of pg_catalog, this database believes whatever a function here says.
  await administer(url, `ALTER DATABASE ${name} SET search_path = public, pg_catalog`)
  // The PostgreSQL of the tests is faster than it is safe.
  await administer(url, `ALTER DATABASE ${name} SET synchronous_commit = on`)
  await administer(url, settings({ fsync: 'on' }))
  for (const statement of sql) await administer(url, statement)
  return { cwd, url, env: production(url) }
}

/** Makes the database say that it is configured so. */
function settings(values: Record<string, string>): string {
  const cases = Object.entries(values).map(([name, value]) => `WHEN '${name}' THEN '${value}'`)
  return `CREATE OR REPLACE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE $1 ${cases.join(' ')} ELSE pg_catalog.current_setting($1) END $$`
}

test('a revocation log restored from another cluster → doctor warns', async (t) => {
  const restored = `INSERT INTO revocations (kind, value, revoked_at, expires_at, xid)
    VALUES ('jti', 'one', now(), now() + interval '1 hour', '9000000000000')`
  const { cwd, env } = await patient(t, restored)
  const { of } = await examine(cwd, env)
  t.like(of('revocations')[0], { state: 'warning' }, of('revocations')[0]?.message)
  t.regex(of('revocations')[0]?.message ?? '', /another PostgreSQL cluster/)
})

test('an instance issued longer tokens than configured here → doctor warns', async (t) => {
  const longer = `INSERT INTO access_token_lives VALUES (7260, now() + interval '1 hour')`
  const { cwd, env } = await patient(t, longer)
  const { of } = await examine(cwd, env)
  t.like(of('token life')[0], { state: 'warning' })
  t.regex(of('token life')[0]?.message ?? '', /live for 7200 s/)
})

test('logout notifications that wait or were given up → doctor warns and names the client', async (t) => {
  const deliveries = `INSERT INTO logout_deliveries
      (id, client_id, sid, subject, created_at, next_attempt_at, given_up_at)
    SELECT gen_random_uuid(), client_id, gen_random_uuid(), gen_random_uuid(),
           now() - interval '2 hours', now(), given_up_at
      FROM (VALUES ('away', NULL), ('wrong', now())) AS stuck (client_id, given_up_at)`
  const { cwd, env } = await patient(t, deliveries)
  const { of } = await examine(cwd, env)
  t.deepEqual(
    of('sign-out').map(({ state }) => state),
    ['warning', 'warning'],
  )
  t.regex(of('sign-out')[0]?.message ?? '', /1 notification.*120 minutes/)
  t.regex(of('sign-out')[1]?.message ?? '', /given up.*wrong \(1\)/)
})

test('a healthy installation → every check is ok, exit 0', async (t) => {
  const { cwd, env } = await patient(t)
  const { code, ok, findings, of } = await examine(cwd, env)
  t.is(code, 0, JSON.stringify(findings))
  t.true(ok)
  const checks = [
    'database',
    'primary',
    'writing',
    'connections',
    'clock',
    'schema',
    'signing keys',
    'sign-out',
  ]
  for (const check of [...checks, 'master keys', 'redis', 'redis eviction', 'redis round trip']) {
    t.true(of(check).length > 0, check)
    for (const finding of of(check)) t.like(finding, { state: 'ok' }, finding.message)
  }
})

test('an unreachable database → reported in bounded time, and other checks still run', async (t) => {
  const { cwd, env } = await patient(t)
  const { code, of } = await examine(cwd, { ...env, DATABASE_URL: 'postgres://127.0.0.1:1/x' })
  t.is(code, 1)
  t.like(of('database')[0], { state: 'failed' })
  t.regex(of('database')[0]?.message ?? '', /does not answer.*ECONNREFUSED/)
  t.like(of('master keys')[0], { state: 'ok' })
  t.like(of('redis')[0], { state: 'ok' })
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const hanging = await examine(cwd, { ...env, DATABASE_URL: `postgres://127.0.0.1:${port}/x` })
  t.like(hanging.of('database')[0], { state: 'failed' })
})

test('a wrong configuration → every error is a finding, and the other checks still run', async (t) => {
  const { cwd, env } = await patient(t)
  const { code, of } = await examine(cwd, { ...env, PORT: 'x', KEY_BITS: '1', ISSUER: 'ftp://x' })
  t.is(code, 1)
  t.is(of('configuration').filter(({ state }) => state === 'failed').length, 3)
  const wrong = await examine(cwd, { ...env, PORT: 'x', LOG_LEVEL: 'loud' })
  t.like(wrong.of('database')[0], { state: 'ok' })
  // Without DATABASE_URL the doctor would check a different database.
  const { DATABASE_URL: _, ...without } = env
  const blind = await examine(cwd, { ...without, DATABASE_ULR: 'postgres://x' })
  t.like(blind.of('the rest')[0], { state: 'warning' })
  t.regex(JSON.stringify(blind.of('configuration')), /Did you mean DATABASE_URL\?/)
  const developer = { NODE_ENV: 'development', DATABASE_URL: 'mysql://x' }
  t.deepEqual((await examine(cwd, { ...env, ...developer })).of('database'), [])
})

for (const [seconds, state] of [
  [5, 'warning'],
  [-5, 'warning'],
  [-20, 'failed'],
  [60, 'failed'],
] as const) {
  test(`a clock of PostgreSQL that differs by ${seconds} s → ${state}`, async (t) => {
    const { cwd, env } = await patient(
      t,
      `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
       $$ SELECT pg_catalog.clock_timestamp() + interval '${seconds} seconds' $$`,
    )
    const { of, code } = await examine(cwd, env)
    t.like(of('clock')[0], { state })
    t.regex(of('clock')[0]?.message ?? '', seconds > 0 ? /ahead of this one/ : /behind this one/)
    t.is(code, state === 'failed' ? 1 : 0)
  })
}

test('a full disk of PostgreSQL → failed, with advice', async (t) => {
  const { cwd, env } = await patient(
    t,
    `CREATE FUNCTION public.repeat(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
       RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
  )
  const { of, code } = await examine(cwd, env)
  t.is(code, 1)
  t.like(of('writing')[0], { state: 'failed' })
  t.regex(of('writing')[0]?.message ?? '', /No space left on device/)
  t.regex(of('writing')[0]?.advice ?? '', /free space/)
})

test('a standby, an old version, or no durability → each is named', async (t) => {
  const { cwd, env } = await patient(
    t,
    settings({ server_version_num: '130011', fsync: 'off' }),
    `CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
  )
  const { of, code } = await examine(cwd, env)
  t.is(code, 1)
  t.like(of('database')[0], { state: 'failed', message: 'PostgreSQL 13.11 is too old' })
  t.like(of('primary')[0], { state: 'failed' })
  t.like(of('durability')[0], { state: 'failed' })
})

test('asynchronous commits and too few connections → warnings', async (t) => {
  const { cwd, env, url } = await patient(t)
  const name = url.split('/').at(-1)
  await administer(url, `ALTER DATABASE ${name} SET synchronous_commit = off`)
  const { of, code } = await examine(cwd, { ...env, DATABASE_POOL_SIZE: '200' })
  t.is(code, 0)
  t.like(of('durability')[0], { state: 'warning' })
  t.like(of('connections')[0], { state: 'warning' })
  const many = await examine(cwd, { ...env, DATABASE_POOL_SIZE: '400' })
  t.like(many.of('connections')[0], { state: 'failed' })
  await administer(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  const readOnly = await examine(cwd, env)
  t.like(readOnly.of('primary')[0], { state: 'failed' })
})

test('a schema that is behind or ahead → reported and not changed', async (t) => {
  const newest = '(SELECT max(name) FROM knex_migrations)'
  const { cwd, env } = await patient(t, `DELETE FROM knex_migrations WHERE name = ${newest}`)
  const behind = await examine(cwd, env)
  t.like(behind.of('schema')[0], { state: 'failed', advice: 'Run: signet migrate' })
  t.like((await examine(cwd, { ...env, MIGRATE_ON_START: 'true' })).of('schema')[0], {
    state: 'warning',
  })
  const empty = await patient(t, 'DROP SCHEMA public CASCADE', 'CREATE SCHEMA public')
  t.like((await examine(empty.cwd, empty.env)).of('schema')[0], { state: 'failed' })
  const client = new pg.Client({ connectionString: empty.url })
  await client.connect()
  const { rowCount } = await client.query(`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`)
  await client.end()
  t.is(rowCount, 0)

  const future = `INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('29991231_x', 9, now())`
  const ahead = await patient(t, future)
  t.like((await examine(ahead.cwd, ahead.env)).of('schema')[0], { state: 'failed' })
  const allowed = { ...ahead.env, DATABASE_ALLOW_NEWER: 'true' }
  t.like((await examine(ahead.cwd, allowed)).of('schema')[0], { state: 'warning' })
})

test('master keys that are missing, foreign, malformed or readable by others → findings', async (t) => {
  const { cwd, env } = await patient(t)
  const { MASTER_KEYS: _, ...without } = env
  const state = async (more: Record<string, string>) => {
    const { of, code } = await examine(cwd, { ...without, ...more })
    const failed = of('master keys').filter((finding) => finding.state === 'failed')
    return `${code} ${failed.map(({ message, advice }) => `${message} ${advice}`).join(' ')}`
  }
  t.regex(await state({}), /^1 .*none in keys\/.*new-master/)
  t.regex(
    await state({ MASTER_KEYS: `B${'A'.repeat(42)}` }),
    /^1 .*sealed with .* which is missing/,
  )
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'a.key'), masterKeyText, { mode: 0o600 })
  t.regex(await state({}), /^0 $/)
  await chmod(join(cwd, 'keys', 'a.key'), 0o604)
  t.regex(await state({}), /^1 .*chmod 600 keys\/a\.key/)
  await chmod(join(cwd, 'keys', 'a.key'), 0o600)
  await chmod(join(cwd, 'keys'), 0o777)
  const { of } = await examine(cwd, without)
  t.regex(JSON.stringify(of('master keys')), /other users can write to keys/)
})

test('signing keys without a signer or successor, too old, or sealed with another key → findings', async (t) => {
  const first = '(SELECT min(generation) FROM signing_keys)'
  const state = async (sql: string) => {
    const { cwd, env } = await patient(t, sql)
    const { of, code } = await examine(cwd, env)
    return `${code} ${of('signing keys').map((one) => `${one.state}: ${one.message}`)}`
  }
  t.regex(await state('DELETE FROM signing_keys'), /^0 ok: none yet/)
  t.regex(await state('UPDATE signing_keys SET private_jwe = NULL'), /^1 failed: no key can sign/)
  const alone = `DELETE FROM signing_keys WHERE generation > ${first}`
  t.regex(await state(alone), /^0 ok: .*warning: no successor is published/)
  const old = `UPDATE signing_keys SET signs_from = signs_from - interval '90 days',
    published_at = published_at - interval '90 days' WHERE generation = ${first}`
  t.regex(await state(old), /^0 warning: .*longer than KEY_ROTATION_DAYS/)
  const broken = `UPDATE signing_keys SET private_jwe = overlay(private_jwe placing 'AAAA' from 130)`
  t.regex(await state(broken), /^1 failed: .*does not open/)
})

test('a Redis that is away, a replica, evicts, or wants a password → findings', async (t) => {
  const { cwd, env } = await patient(t)
  const limit = { maxmemory: '10mb', 'maxmemory-policy': 'allkeys-lru' }
  const forgetful = await startRedisServer({ settings: limit })
  t.teardown(() => forgetful.close())
  const locked = await startRedisServer({ settings: { requirepass: 'hunter2' } })
  t.teardown(() => locked.close())
  const replica = await startRedisServer({ settings: { replicaof: `127.0.0.1 ${forgetful.port}` } })
  t.teardown(() => replica.close())
  const look = (url: string) => examine(cwd, { ...env, REDIS_URL: url })

  const lru = await look(forgetful.url)
  t.like(lru.of('redis eviction')[0], { state: 'failed' })
  t.regex(lru.of('redis eviction')[0]?.advice ?? '', /noeviction/)
  t.like((await look(replica.url)).of('redis role')[0], { state: 'failed' })
  t.regex((await look(locked.url)).of('redis')[0]?.message ?? '', /NOAUTH|password/i)
  t.like((await look(locked.url.replace('//', '//:hunter2@'))).of('redis')[0], { state: 'ok' })
  replica.pause()
  const hanging = await look(replica.url)
  t.like(hanging.of('redis')[0], { state: 'failed' })
  t.like(hanging.of('database')[0], { state: 'ok' })
  t.is(hanging.code, 1)
})

test('ASVS 13.2.2: allowed but weak settings in production → warnings', async (t) => {
  const { cwd, env } = await patient(t)
  const weak = { ...env, REDIS_URL: 'none', ARGON2_MEMORY_KIB: '8192', LOG_LEVEL: 'silent' }
  const { of, code } = await examine(cwd, weak)
  t.is(code, 0)
  const said = JSON.stringify(of('production'))
  for (const weakness of [
    /TRUSTED_PROXIES/,
    /REDIS_URL is none/,
    /ARGON2/,
    /LOG_LEVEL/,
    /superus/,
  ]) {
    t.regex(said, weakness)
  }
  const elsewhere = await examine(cwd, { ...weak, NODE_ENV: 'development' })
  t.deepEqual(elsewhere.of('production'), [])
})

test('an empty folder → the doctor creates no database, master key or folder', async (t) => {
  const home = await emptyFolder(t)
  const { code, of } = await examine(home, {})
  t.is(code, 0)
  t.regex(of('database')[0]?.message ?? '', /first start creates one/)
  t.deepEqual(await readdir(home), [])
})

test('an embedded PostgreSQL → checked while the server runs and while it does not', async (t) => {
  const home = await emptyFolder(t)
  const serving = await serve(t, { cwd: home })
  const beside = await examine(home, {})
  t.is(beside.code, 0, JSON.stringify(beside.findings))
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0)
  const alone = await examine(home, {})
  t.is(alone.code, 0, JSON.stringify(alone.findings))
  t.like(alone.of('database')[0], { state: 'ok' })
  await t.throwsAsync(access(join(home, '.data', 'postgres', 'postmaster.pid')))
})

test('output for people → a line per finding, its advice below, and a summary', async (t) => {
  const { cwd, env } = await patient(t)
  const { stdout, code } = await signet(['doctor'], {
    cwd,
    env: { ...env, DATABASE_URL: 'postgres://127.0.0.1:1/x', REDIS_URL: 'none' },
  })
  t.is(code, 1)
  t.regex(stdout, /^ok {6} configuration {2}production, issuer https:\/\/signet\.example$/m)
  t.regex(stdout, /^warning {2}production {5}REDIS_URL is none.*\n +→ This is correct but slower/m)
  t.regex(stdout, /^failed {3}database {7}PostgreSQL does not answer/m)
  t.regex(stdout, /\n\n\d+ ok, \d+ warning, 1 failed\n$/)
})

test('a proxy that TRUSTED_PROXIES does not name → doctor warns', async (t) => {
  const { cwd, env } = await patient(t)
  const port = await freePort()
  const served = { ...env, METRICS_PORT: String(port) }
  const serving = await serve(t, { cwd, env: served })
  t.deepEqual((await examine(cwd, served)).of('proxies'), [])
  await fetch(`${serving.url}/health/live`, { headers: { 'x-forwarded-for': '203.0.113.9' } })
  const [finding] = (await examine(cwd, served)).of('proxies')
  t.is(finding?.state, 'warning')
  t.regex(finding?.message ?? '', /^1 requests? had an X-Forwarded-For header/)
  t.regex(finding?.advice ?? '', /proxy/)
})

test('ASVS 13.4.2: weak production settings → named by doctor and at the start', async (t) => {
  const { cwd, env } = await patient(t)
  await writeFile(join(cwd, '.env'), `MASTER_KEYS=${masterKeyText}\n`, { mode: 0o644 })
  await chmod(join(cwd, '.env'), 0o644)
  const weak = { ...env, SMTP_URL: 'smtp://mail.invalid', MAIL_FROM: 'x@example.org' }
  Object.assign(weak, { TRUSTED_PROXIES: '192.0.2.7,10.0.0.0/255.0.0.0' })
  const expected = [
    /TRUSTED_PROXIES trusts a whole private network/,
    /SMTP_URL .*only if the mail server offers/,
    /\.env .*readable by other users/,
  ]
  const { of } = await examine(cwd, weak)
  const { stdout } = await serve(t, { cwd, env: weak })
  for (const words of expected) {
    t.regex(JSON.stringify(of('production')), words)
    t.regex(stdout(), words)
  }
  await chmod(join(cwd, '.env'), 0o600)
  const better = await examine(cwd, {
    ...weak,
    SMTP_URL: 'smtp://mail.invalid?requireTLS=true',
    TRUSTED_PROXIES: 'loopback,10.0.0.7,172.31.250.0/28,104.16.0.0/13',
  })
  for (const words of expected) t.notRegex(JSON.stringify(better.of('production')), words)
  const remote = await examine(cwd, {
    ...env,
    DATABASE_URL: 'postgres://u:p@db.invalid/x',
    TRUSTED_PROXIES: 'uniquelocal',
  })
  t.regex(JSON.stringify(remote.of('production')), /DATABASE_URL .*without sslmode/)
  t.regex(JSON.stringify(remote.of('production')), /TRUSTED_PROXIES trusts a whole/)
  const unverified = await examine(cwd, {
    ...env,
    DATABASE_URL: 'postgres://u:p@db.invalid/x?sslmode=no-verify',
  })
  t.regex(JSON.stringify(unverified.of('production')), /DATABASE_URL accepts any certificate/)
})

const standbys = (...rows: readonly string[]) => `
  CREATE TABLE public.pg_stat_replication (application_name text, state text, sync_state text, replay_lsn pg_lsn);
  ${rows.map((row) => `INSERT INTO public.pg_stat_replication VALUES (${row});`).join('')}`

async function deeply(t: ExecutionContext<unknown>, ...sql: string[]) {
  const { cwd, url, env } = await patient(t, ...sql)
  const { code, json, stderr } = await signet(['doctor', '--deep', '--json'], { cwd, env })
  if (code === null) throw new Error(stderr)
  const findings: Finding[] = json().findings
  const of = (check: string) => findings.filter((finding) => finding.check === check)
  const events = async () => {
    const client = new pg.Client(url)
    await client.connect()
    const { rows } = await client.query(`SELECT event FROM audit_events`)
    await client.end()
    return rows.map(({ event }) => event)
  }
  return { of, events, cwd, env }
}

test('doctor --deep → commits an audit event, and says that there is no standby; doctor alone does not', async (t) => {
  const { of, events, cwd, env } = await deeply(t)
  t.like(of('commit')[0], { state: 'ok' })
  t.like(of('standbys')[0], { state: 'warning', message: 'none is connected' })
  t.like(of('archive')[0], { state: 'ok' })
  t.deepEqual(await events(), ['doctor.checked'])
  await examine(cwd, env)
  t.deepEqual(await events(), ['doctor.checked'])
})

test('doctor --deep: a standby that is far behind, and one synchronous standby of two → warnings', async (t) => {
  const behind = `'b', 'streaming', 'async', pg_current_wal_lsn() - 33554432`
  const { of } = await deeply(
    t,
    settings({ fsync: 'on', synchronous_standby_names: 'ANY 1 (a, b)' }),
    standbys(`'a', 'streaming', 'quorum', pg_current_wal_lsn()`, behind),
  )
  const [near, far] = of('standbys')
  t.like(near, { state: 'ok' })
  t.like(far, { state: 'warning' })
  t.regex(far?.message ?? '', /b is streaming, async, 3\d\.\d MiB behind/)
  t.like(of('commit waits')[0], { state: 'warning' })
})

test('doctor --deep: no synchronous standby is connected, and the WAL is not archived → failed', async (t) => {
  const { of } = await deeply(
    t,
    settings({ fsync: 'on', synchronous_standby_names: 'a', archive_mode: 'on' }),
    standbys(`'b', 'streaming', 'async', pg_current_wal_lsn()`),
    `CREATE TABLE public.pg_stat_archiver AS
       SELECT now() - interval '2 hours' AS last_archived_time, now() AS last_failed_time`,
  )
  t.like(of('commit waits')[0], { state: 'failed' })
  t.like(of('archive')[0], { state: 'failed' })
  t.regex(of('archive')[0]?.message ?? '', /has failed since 20/)
})

test('doctor --deep: the user may not see the state of standbys → says which grant it needs', async (t) => {
  const { of } = await deeply(t, standbys(`'a', NULL, NULL, NULL`))
  t.like(of('standbys')[0], { state: 'warning' })
  t.regex(of('standbys')[0]?.advice ?? '', /GRANT pg_monitor/)
})
