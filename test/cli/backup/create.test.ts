import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { libpqEnvironment } from '../../../src/cli/backup/libpq-environment.ts'
import { createAuthority } from '../../../tools/certificates.ts'
import { eventually } from '../../../tools/eventually.ts'
import { masterKeys, masterKeyText, testEnvironment } from '../../../tools/fixtures.ts'
import { administer, databaseUrl } from '../../../tools/template.ts'
import { emptyFolder, program, signet } from '../../support/server/signet.ts'
import {
  type DebianPostgres,
  debianPostgres,
  stopDebianPostgres,
} from '../../support/stores/debian-postgres.ts'
import { startPgBouncer } from '../../support/stores/pgbouncer.ts'

test.after.always(stopDebianPostgres)

async function scene(t: ExecutionContext<unknown>) {
  const postgres = await debianPostgres()
  const cwd = await emptyFolder(t)
  const url = await postgres.copyTemplate(t)
  const env = (DATABASE_URL: string, more: Record<string, string> = {}) => ({
    ...testEnvironment,
    PATH: `${postgres.programs}:${process.env.PATH}`,
    DATABASE_URL,
    MASTER_KEYS: masterKeyText,
    ...more,
  })
  const backup = (args: readonly string[], databaseUrl = url, more: Record<string, string> = {}) =>
    signet(['backup', ...args], { cwd, env: env(databaseUrl, more) })
  /** A program that does something before or instead of the real pg_dump. */
  const standIn = async (lines: string) => {
    const path = join(cwd, 'stand-in')
    const real = join(postgres.programs, 'pg_dump')
    await writeFile(path, `#!/bin/sh\n[ "$1" = --version ] && exit\nreal='${real}'\n${lines}\n`)
    await chmod(path, 0o755)
    return path
  }
  const files = async () => (await readdir(cwd)).filter((name) => name !== 'stand-in').sort()
  return { postgres, cwd, url, env, backup, standIn, files }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** A table that is locked until the end of the test, so that pg_dump waits for it. */
async function lockTable(t: ExecutionContext<unknown>, url: string) {
  const holder = await connect(t, url)
  await holder.query('BEGIN; LOCK TABLE outgoing_mail IN ACCESS EXCLUSIVE MODE')
  // A transaction sees the activity of its beginning.
  const observer = await connect(t, url)
  const waiting = async () => {
    const { rows } = await observer.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'signet backup'`,
    )
    return rows.length
  }
  return { waiting, release: () => holder.query('ROLLBACK') }
}

async function connect(t: ExecutionContext<unknown>, connectionString: string) {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** Begins a `signet backup create`, whose pg_dump waits while the table is locked. */
function begin(t: ExecutionContext<unknown>, { cwd, env, url }: Scene) {
  const args = [program, 'backup', 'create', 'one.dump']
  const child = spawn(process.execPath, args, { cwd, env: env(url), stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  return { child, exited: once(child, 'close'), stderr: () => stderr }
}

/** A backup in the middle. */
async function beginBackup(t: ExecutionContext<unknown>, all: Scene) {
  const lock = await lockTable(t, all.url)
  const begun = begin(t, all)
  await eventually(async () => {
    if (begun.child.exitCode !== null) throw new Error(`it has ended: ${begun.stderr()}`)
    return (await lock.waiting()) === 1
  }, 'pg_dump is connected')
  return { ...begun, lock }
}

test('a database in use → a backup of one snapshot, which its manifest describes without a secret', async (t) => {
  const { cwd, url, backup, standIn, files } = await scene(t)
  // After the snapshot, and before pg_dump begins.
  const late = `INSERT INTO audit_events (at, event) VALUES (now(), 'key.revoked'); DELETE FROM users`
  const path = await standIn(
    `echo "$@" > seen; env >> seen\n` +
      `"$(dirname "$real")/psql" -qc "${late}" >&2 || exit 9\nexec "$real" "$@"`,
  )
  const made = await backup(['create', 'one.dump', '--pg-dump', path, '--json'])
  t.is(made.code, 0, made.stderr)
  t.deepEqual(await files(), ['one.dump', 'one.dump.json', 'seen'])
  for (const name of ['one.dump', 'one.dump.json']) {
    t.is((await stat(join(cwd, name))).mode & 0o777, 0o600)
  }
  const manifest = JSON.parse(await readFile(join(cwd, 'one.dump.json'), 'utf8'))
  t.like(manifest, { people: 1, clients: 1, sessions: 0, newest_event: null })
  t.deepEqual(manifest.master_keys, [masterKeys.newest.id])
  t.like(made.json(), { file: 'one.dump', manifest_file: 'one.dump.json', ...manifest })

  const seen = await readFile(join(cwd, 'seen'), 'utf8')
  const [args = ''] = seen.split('\n')
  t.notRegex(args, /p&ss|postgres:/, 'everybody can read the arguments of a process')
  t.regex(seen, /^PGPASSWORD=p&ss\/w%rd$/m)
  t.notRegex(seen, /^(MASTER_KEYS|DATABASE_URL)=/m)

  const inspected = await backup(['inspect', 'one.dump'])
  t.is(inspected.code, 0, inspected.stderr)
  t.regex(inspected.stdout, /ok +file +complete/)
  t.regex(inspected.stdout, /ok +schema +of this release/)
  t.regex(inspected.stdout, /ok +master keys +\S+: here/)

  const restored = await restore(t, await debianPostgres(), join(cwd, 'one.dump'))
  const verify = ['verify', '--manifest', 'one.dump.json']
  const verified = await backup(verify, restored)
  t.is(verified.code, 0, verified.stdout)
  t.regex(verified.stdout, /ok +manifest +all of the backup is here/)
  const other = await backup(verify, url)
  t.is(other.code, 1)
  t.regex(other.stdout, /failed +manifest +0 people instead of 1, audit event \d+ instead of none/)
})

async function restore(
  t: ExecutionContext<unknown>,
  { url, programs }: DebianPostgres,
  file: string,
) {
  const name = `signet_test_restored_${process.pid}`
  await administer(url, `CREATE DATABASE ${name}`)
  t.teardown(() => administer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const target = databaseUrl(url, name)
  const env = libpqEnvironment(target, 10)
  const child = spawn(join(programs, 'pg_restore'), ['--exit-on-error', `--dbname=${name}`, file], {
    env,
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  t.is(code, 0)
  return target
}

test('a name that a file has, a folder that is missing → refused; a folder → a name with the time', async (t) => {
  const { cwd, backup, files } = await scene(t)
  await writeFile(join(cwd, 'one.dump'), 'precious')
  await writeFile(join(cwd, 'two.dump.json'), 'precious')
  for (const name of ['one.dump', 'two.dump']) {
    const refused = await backup(['create', name])
    t.is(refused.code, 1)
    t.regex(refused.stderr, /(one\.dump|two\.dump\.json) exists: a backup never replaces a file/)
  }
  t.regex((await backup(['create', 'away/one.dump'])).stderr, /The folder away does not exist/)
  t.deepEqual(await files(), ['one.dump', 'two.dump.json'])
  t.is(await readFile(join(cwd, 'one.dump'), 'utf8'), 'precious')
  const made = await backup(['create', '.'])
  t.is(made.code, 0, made.stderr)
  t.regex((await files()).join(), /signet-\d{4}-\d\d-\d\dT\d{6}Z\.dump,signet-\S+\.dump\.json/)
})

test('kill -9 in the middle → no file has the name of the backup, and pg_dump ends', async (t) => {
  const all = await scene(t)
  const { child, exited, lock } = await beginBackup(t, all)
  t.deepEqual(
    (await all.files()).filter((name) => !name.startsWith('.')),
    [],
  )
  child.kill('SIGKILL')
  await exited
  await lock.release()
  await eventually(async () => (await lock.waiting()) === 0, 'pg_dump has ended')
  for (const name of await all.files()) {
    t.regex(name, /^\.one\.dump\.\S+\.partial$/)
    t.is((await stat(join(all.cwd, name))).size, 0, 'pg_dump does not go on alone')
  }
  t.is((await all.backup(['create', 'one.dump'])).code, 0)
})

test('SIGTERM in the middle → exit 1, and nothing is left', async (t) => {
  const all = await scene(t)
  const { child, exited, lock, stderr } = await beginBackup(t, all)
  child.kill('SIGTERM')
  t.deepEqual(await exited, [1, null])
  t.regex(stderr(), /Interrupted: there is no backup/)
  t.deepEqual(await all.files(), [])
  await eventually(async () => (await lock.waiting()) === 0, 'pg_dump has ended')
})

test('two backups under one name at once → one of them, with its own manifest, and one refusal', async (t) => {
  const all = await scene(t)
  const lock = await lockTable(t, all.url)
  const both = [begin(t, all), begin(t, all)]
  await eventually(async () => (await lock.waiting()) === 2, 'both are in the middle')
  await lock.release()
  const codes = await Promise.all(both.map(async ({ exited }) => (await exited)[0]))
  t.deepEqual(codes.sort(), [0, 1])
  t.regex(both.map(({ stderr }) => stderr()).join(), /one\.dump exists: a backup never replaces/)
  t.deepEqual(await all.files(), ['one.dump', 'one.dump.json'])
  t.regex((await all.backup(['inspect', 'one.dump'])).stdout, /ok +file +complete/)
})

test('the disk is full, pg_dump fails, is missing or too old → its words, what to do, and no file', async (t) => {
  const { backup, standIn, files } = await scene(t)
  const refused = async (pgDump: string, sentence: RegExp) => {
    const { code, stderr } = await backup(['create', 'one.dump', '--pg-dump', pgDump])
    t.is(code, 1)
    t.regex(stderr, sentence)
    t.notRegex(stderr, /^ +at /m)
    t.deepEqual(await files(), [])
  }
  await refused(
    await standIn('exec "$real" "$@" >/dev/full'),
    /No space left on device\nThere is no space for the backup/,
  )
  await refused(
    '/nowhere/pg_dump',
    /\/nowhere\/pg_dump is not there\. Install the client programs of PostgreSQL \d+ or newer/,
  )
  const mismatch =
    'pg_dump: error: aborting because of server version mismatch\n' +
    'pg_dump: detail: server version: 18.4; pg_dump version: 15.20'
  await refused(
    await standIn(`echo '${mismatch}' >&2; exit 1`),
    /version: 15\.20\nInstall the client programs of PostgreSQL \d+ or newer.*--pg-dump/,
  )
  await refused(await standIn('kill -KILL $$'), /it ended by SIGKILL/)
})

test('no tables, a newer release → a clear error, and no file', async (t) => {
  const { postgres, url, backup, files } = await scene(t)
  const empty = await backup(['create', 'one.dump'], postgres.url)
  t.is(empty.code, 1)
  t.regex(empty.stderr, /has no tables of Signet, so there is nothing to back up/)
  await administer(url, `INSERT INTO knex_migrations (name) VALUES ('29990101000000_later')`)
  const newer = await backup(['create', 'one.dump'])
  t.is(newer.code, 1)
  t.regex(newer.stderr, /of a newer release \(unknown to this one: 29990101000000_later\)/)
  t.deepEqual(await files(), [])
  const back = await backup(['create', 'one.dump'], url, { DATABASE_ALLOW_NEWER: 'true' })
  t.is(back.code, 0, back.stderr)

  const inspected = await backup(['inspect', 'one.dump'])
  t.is(inspected.code, 1)
  t.regex(inspected.stdout, /failed +schema +of another release, newer than this one/)
})

test('an earlier release → a backup that this one inspects, with the migrations that follow', async (t) => {
  const { url, backup } = await scene(t)
  await administer(
    url,
    'DELETE FROM knex_migrations WHERE id = (SELECT max(id) FROM knex_migrations)',
  )
  t.is((await backup(['create', 'one.dump'])).code, 0)
  const inspected = await backup(['inspect', 'one.dump'])
  t.is(inspected.code, 0)
  t.regex(inspected.stdout, /warning +schema +of an earlier release: 1 migration\(s\) are pending/)
})

test('a standby → backed up like the primary', async (t) => {
  const { postgres, cwd, url, backup } = await scene(t)
  const standby = await postgres.startStandby(t)
  const here = Object.assign(new URL(url), { port: standby }).href
  const made = await backup(['create', 'one.dump'], here)
  t.is(made.code, 0, made.stderr)
  const manifest = JSON.parse(await readFile(join(cwd, 'one.dump.json'), 'utf8'))
  t.like(manifest, { people: 1, clients: 1 })
})

test('another master key, a file that was cut or changed, no manifest → known before a restore', async (t) => {
  const { cwd, url, backup } = await scene(t)
  t.is((await backup(['create', 'one.dump'])).code, 0)
  const MASTER_KEYS = Buffer.from('another master key of 32 bytes..').toString('base64url')
  const wrong = await backup(['inspect', 'one.dump'], url, { MASTER_KEYS })
  t.is(wrong.code, 1)
  const needed = `failed +master keys +needs ${masterKeys.newest.id} \\(here: \\S+\\)`
  t.regex(wrong.stdout, new RegExp(needed))
  const file = join(cwd, 'one.dump')
  const bytes = await readFile(file)
  await writeFile(file, bytes.subarray(0, -1))
  t.regex((await backup(['inspect', file])).stdout, /failed +file +has \d+ bytes, and had \d+/)
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  await writeFile(file, bytes)
  const changed = await backup(['inspect', file, '--json'])
  t.is(changed.code, 1)
  t.is(changed.json().ok, false)
  const without = await backup(['inspect', join(cwd, 'stand-in')])
  t.regex(without.stderr, /There is no .*stand-in\.json: copy it, too/)
  await writeFile(`${file}.json`, '{"format":2}')
  t.regex((await backup(['inspect', file])).stderr, /not a manifest that this release can read/)
})

test('through PgBouncer → refused: its pg_dump would change the connections of others', async (t) => {
  const { url, backup, files } = await scene(t)
  const { url: pooled } = await startPgBouncer(t, url)
  const { code, stderr } = await backup(['create', 'one.dump'], pooled, {
    DATABASE_PREPARED_STATEMENTS: 'false',
  })
  t.is(code, 1)
  t.regex(stderr, /leads to a pooler, such as PgBouncer.*Use the direct URL of PostgreSQL/)
  t.deepEqual(await files(), [])
})

test('sslmode=verify-full, and a role that only reads → pg_dump verifies the same certificate', async (t) => {
  const { postgres, cwd, url, backup, standIn } = await scene(t)
  const authority = createAuthority(join(cwd, 'certificates'))
  const pair = authority.sign('server')
  for (const [name, path] of [
    ['server.crt', pair.certificate],
    ['server.key', pair.key],
  ] as const) {
    const content = (await readFile(path)).toString('base64')
    await administer(
      postgres.url,
      `COPY (SELECT '${content}') TO PROGRAM 'umask 077; base64 -d > ${name}'`,
    )
  }
  await administer(postgres.url, 'ALTER SYSTEM SET ssl = on')
  await administer(postgres.url, 'SELECT pg_reload_conf()')
  const query = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: authority.certificate })
  const secure = `${url.replace('signet:', `${postgres.tlsRole}:`)}?${query}`
  await eventually(
    () =>
      administer(secure, 'SELECT 1').then(
        () => true,
        () => false,
      ),
    'PostgreSQL accepts TLS',
  )
  const made = await backup(['create', 'one.dump'], secure)
  t.is(made.code, 0, made.stderr)

  const other = createAuthority(join(cwd, 'certificates'), 'another')
  const path = await standIn(`PGSSLROOTCERT='${other.certificate}' exec "$real" "$@"`)
  const refused = await backup(['create', 'two.dump', '--pg-dump', path], secure)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /certificate verify failed/)
})

test('the embedded PostgreSQL, and no pg_dump → how to copy it', async (t) => {
  const cwd = await emptyFolder(t)
  const options = { cwd, env: { ...testEnvironment, MASTER_KEYS: masterKeyText } }
  t.is((await signet(['migrate'], options)).code, 0)
  const { code, stderr } = await signet(
    ['backup', 'create', 'one.dump', '--pg-dump', '/nowhere/pg_dump'],
    options,
  )
  t.is(code, 1)
  t.regex(stderr, /Or stop the server, and copy DATA_DIR and KEYS_DIR/)
})

test('DATABASE_URL in the words of libpq → the same server, user and verification', (t) => {
  const words = (query: string, given = {}) => {
    const url = `postgres://ann:p%26%20@db.internal:6432/signet${query}`
    return libpqEnvironment(url, 1, given)
  }
  t.like(words(''), {
    PGHOST: 'db.internal',
    PGPORT: '6432',
    PGUSER: 'ann',
    PGPASSWORD: 'p& ',
    PGDATABASE: 'signet',
    PGSSLMODE: 'disable',
    PGCONNECT_TIMEOUT: '2',
  })
  const verified = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: 'system' }
  t.like(words('?sslmode=verify-full'), verified)
  t.like(words('?ssl=true'), verified)
  t.like(words('', { PGSSLMODE: 'require' }), verified)
  t.like(words('?sslmode=verify-full', { PGSSLROOTCERT: '/ca.pem' }), {
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/ca.pem',
  })
  t.like(words('?sslmode=no-verify'), { PGSSLMODE: 'require', PGSSLROOTCERT: undefined })
  t.like(words('?sslmode=disable', { PGSSLMODE: 'require' }), { PGSSLMODE: 'disable' })
  t.like(words('?sslmode=require&uselibpqcompat=true'), { PGSSLMODE: 'require' })
  t.is(words('?options=-c%20search_path%3Dauth').PGOPTIONS, '-c search_path=auth')
  const elsewhere = { PGSERVICE: 'other', PGHOSTADDR: '192.0.2.1', REDIS_URL: 'redis://secret@r' }
  const kept = words('', { ...elsewhere, PGPASSFILE: '/pass', HOME: '/home/ann' })
  t.like(kept, { PGPASSFILE: '/pass', HOME: '/home/ann' })
  for (const name of Object.keys(elsewhere)) t.false(name in kept, name)
})
