import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { masterKeyText, testEnvironment } from '../../../tools/fixtures.ts'
import { root } from '../../../tools/root.ts'
import { copyTemplate, startServer, type TestServer } from '../../support/server/start-server.ts'

const bcrypt = '$2b$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq'
const password = 'the old password'

type At = Pick<TestServer, 'databaseUrl'>

const settings = ({ databaseUrl }: At) => ({
  cwd: root,
  env: {
    PATH: process.env.PATH,
    ...testEnvironment,
    DATABASE_URL: databaseUrl,
    MASTER_KEYS: masterKeyText,
  },
})
/** The build of this `npm test`, which starts faster. */
const command = ['dist/src/main.cjs', 'users']

/** Runs `signet users …` as an operator does. */
async function signet(at: At, args: string[], input = '') {
  const running = promisify(execFile)(process.execPath, [...command, ...args], settings(at))
  running.child.stdin?.end(input)
  const { stdout, stderr, code } = await running.then(
    (done) => ({ ...done, code: 0 }),
    (failed) => failed,
  )
  return { code, stdout, stderr }
}

const ndjson = (people: readonly unknown[]): string =>
  people.map((person) => `${JSON.stringify(person)}\n`).join('')

async function fileOf(people: readonly unknown[] | string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'import-')), 'people.ndjson')
  await writeFile(file, typeof people === 'string' ? people : ndjson(people))
  return file
}

const reportOf = async (file: string): Promise<{ line: number; reason: string }[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

test('people come over with all that is known of them, and the trail says so', async (t) => {
  const server = await startServer(t)
  const bo = {
    id: '0190d8a0-0000-7000-8000-000000000001',
    ...{ username: 'bo', email: 'Bo@Example.org', email_verified: true, full_name: 'Bo Diddley' },
    ...{ roles: ['editor', 'admin'], password_hash: bcrypt },
    ...{ created_at: '2019-05-06T07:08:09+02:00', disabled: false },
  }
  const cy = { email: 'cy@example.org', username: null, full_name: '', disabled: true }
  const { code, stdout } = await signet(server, ['import', await fileOf([bo, cy]), '--json'])
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), { imported: 2, skipped: 0, refused: 0 })

  const created = new Date('2019-05-06T05:08:09Z')
  t.like(await server.db('users').where({ id: bo.id }).first(), {
    ...{ username: 'bo', email: 'Bo@Example.org', email_verified_at: created },
    ...{ full_name: 'Bo Diddley', roles: ['editor', 'admin'], created_at: created },
    ...{ password_changed_at: created, disabled_at: null, must_change_password: false },
  })
  const second = await server.db('users').where({ email: cy.email }).first()
  t.like(second, { username: null, full_name: null, email_verified_at: null, roles: [] })
  t.truthy(second.disabled_at)
  t.like(await server.db('audit_events').where({ event: 'user.imported' }).first(), {
    detail: { imported: 2, lines: [1, 2] },
  })
  const signedIn = await server.signIn({ username: 'bo', password })
  t.is(signedIn.status, 200)
  t.like((await server.introspect(signedIn.body.access_token)).body, { sub: bo.id })
})

test('a refused line refuses no other; the report has its number and why, and never a hash', async (t) => {
  const server = await startServer(t)
  const lines = [
    JSON.stringify({ username: 'b1', password_hash: bcrypt }),
    '{"username": "b2"',
    JSON.stringify({ username: 'b3', is_admin: true }),
    JSON.stringify({ full_name: 'Nobody' }),
    '',
    JSON.stringify({ username: 'with space', email: 'no address', roles: ['a b'] }),
    JSON.stringify({ username: 'b7', password_hash: 'md5$salt$c0ffee' }),
    JSON.stringify({ username: 'b8', full_name: 'a\u0000b', created_at: 'yesterday' }),
    JSON.stringify({ username: 'ADA', email: 'other@example.org' }),
    JSON.stringify({ email: 'B10@example.org' }),
    JSON.stringify({ username: 'b11', email: 'b10@example.org' }),
    JSON.stringify({ username: 'b12', full_name: 'x'.repeat(70_000) }),
    '[]',
    JSON.stringify({ username: 'b14', email_verified: true }),
    JSON.stringify({ username: 'b15@example.org' }),
  ]
  const file = await fileOf('')
  const text = `${lines.join('\n')}\n{"username":"\xff"}\n${JSON.stringify({ username: 'last' })}`
  await writeFile(file, text, 'latin1')
  const report = `${file}.report`
  const { code, stdout, stderr } = await signet(server, ['import', file, '--report', report])
  t.is(code, 1)
  t.regex(stdout, /^3 imported, 0 already present, 13 refused\n$/)
  const refused = await reportOf(report)
  t.deepEqual(
    refused.map(({ line }) => line),
    [2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16],
  )
  const reasons = Object.fromEntries(refused.map(({ line, reason }) => [line, reason]))
  t.regex(reasons[2] ?? '', /not JSON/)
  t.regex(reasons[3] ?? '', /is_admin/)
  t.regex(reasons[4] ?? '', /neither a username nor an email/)
  t.regex(reasons[6] ?? '', /username.*email.*roles/)
  t.regex(reasons[7] ?? '', /unknown/)
  t.regex(reasons[9] ?? '', /^username: taken by somebody else/)
  t.regex(reasons[11] ?? '', /^email: taken by somebody else/)
  t.regex(reasons[12] ?? '', /64 KiB/)
  t.regex(reasons[16] ?? '', /UTF-8/)
  t.false(`${JSON.stringify(refused)}${stderr}${stdout}`.includes('c0ffee'))
  t.deepEqual(await server.db('users').orderBy('username').pluck('username'), [
    ...['ada', 'b1', 'last', null],
  ])
})

test('the same file again changes nothing, and neither do its people change back', async (t) => {
  const server = await startServer(t)
  const file = await fileOf([
    { username: 'bo', email: 'bo@example.org', password_hash: bcrypt, roles: ['admin'] },
    { username: 'bo', email: 'bo@example.org', password_hash: bcrypt },
  ])
  const first = await signet(server, ['import', file, '--json'])
  t.deepEqual(JSON.parse(first.stdout), { imported: 1, skipped: 1, refused: 0 })
  await server.signIn({ username: 'bo', password })
  await server.db('users').where({ username: 'bo' }).update({ roles: [] })
  const before = await server.db('users').orderBy('id')
  const again = await signet(server, ['import', file, '--json'])
  t.is(again.code, 0)
  t.deepEqual(JSON.parse(again.stdout), { imported: 0, skipped: 2, refused: 0 })
  t.deepEqual(await server.db('users').orderBy('id'), before)
})

test('a killed import resumed → no person is lost, and no line is reported twice', async (t) => {
  const at = { databaseUrl: await copyTemplate(t) }
  const people = Array.from({ length: 20_000 }, (_, i) =>
    i % 1000 === 7 ? { bad: i } : { username: `person-${i}`, email: `person-${i}@example.org` },
  )
  const file = await fileOf(people)
  const report = `${file}.report`
  const args = ['import', file, '--report', report, '--json']
  const first = spawn(process.execPath, [...command, ...args], { ...settings(at), stdio: 'ignore' })
  const exited = once(first, 'exit')
  while (!(await stat(`${file}.checkpoint`).catch(() => undefined))) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  first.kill('SIGKILL')
  await exited
  const stopped = JSON.parse(await readFile(`${file}.checkpoint`, 'utf8'))
  t.true(stopped.line > 0 && stopped.line < people.length, `${stopped.line}`)
  // As if it had died between the report and the checkpoint.
  await writeFile(report, '{"line":1,"reason":"of the next batch"}\n', { flag: 'a' })

  const { code, stdout } = await signet(at, [...args, '--resume'])
  t.is(code, 1)
  const { imported, skipped, refused } = JSON.parse(stdout)
  t.is(imported + skipped, people.length - 20)
  t.true(skipped <= 500, 'only what was committed after the checkpoint is met again')
  t.is(refused, 20)
  t.deepEqual(
    (await reportOf(report)).map(({ line }) => line),
    Array.from({ length: 20 }, (_, i) => i * 1000 + 8),
  )
  await t.throwsAsync(stat(`${file}.checkpoint`), { code: 'ENOENT' })
})

test('an import of a file that was changed does not go on in the middle of it', async (t) => {
  const at = { databaseUrl: await copyTemplate(t) }
  const file = await fileOf([{ username: 'bo' }, { username: 'cy' }])
  const input = { bytes: 5, modified: 1 }
  const counts = { imported: 1, skipped: 0, refused: 0, reportBytes: 0 }
  await writeFile(`${file}.checkpoint`, JSON.stringify({ input, line: 1, end: 18, ...counts }))
  const resumed = await signet(at, ['import', file, '--resume'])
  t.is(resumed.code, 1)
  t.regex(resumed.stderr, /has changed since/)
  t.is((await signet(at, ['import', file])).code, 0)
})

test('an import reads standard input, and does not take its own input for the report', async (t) => {
  const server = await startServer(t)
  const piped = await signet(server, ['import', '-', '--json'], ndjson([{ username: 'bo' }]))
  t.deepEqual(JSON.parse(piped.stdout), { imported: 1, skipped: 0, refused: 0 })
  const file = await fileOf([{ username: 'cy' }])
  const overwriting = await signet(server, ['import', file, '--report', file])
  t.is(overwriting.code, 1)
  t.regex(overwriting.stderr, /would overwrite/)
  t.is(await readFile(file, 'utf8'), ndjson([{ username: 'cy' }]))
  t.regex((await signet(server, ['import', '/nowhere/x.ndjson'])).stderr, /There is no file/)
})

test('what is exported and imported elsewhere is the same people, who sign in there', async (t) => {
  const [here, there] = await Promise.all([startServer(t), startServer(t)])
  const many = Array.from({ length: 2100 }, (_, i) => ({ email: `p${i}@example.org` }))
  const notable = [
    { username: 'bo', password_hash: bcrypt, disabled: true, created_at: '2001-02-03T04:05:06Z' },
    { username: 'çâ', full_name: 'Ç "â" \\ 漢字', roles: ['x:y', 'z'], must_change_password: true },
    { email: 'd@example.org', email_verified_at: '2020-01-01T00:00:00.123Z' },
  ]
  await signet(here, ['import', await fileOf([...notable, ...many])])
  const file = await fileOf('someone may read what stood here')
  const exported = await signet(here, ['export', file, '--json'])
  t.deepEqual(JSON.parse(exported.stdout), { exported: 2104, file })
  t.regex(exported.stderr, /password hashes/)
  t.is((await stat(file)).mode & 0o777, 0o600)
  t.like(await here.db('audit_events').where({ event: 'user.exported' }).first(), {
    detail: { people: 2104 },
  })

  await there.db('users').delete()
  const back = await signet(there, ['import', file, '--json'])
  t.deepEqual(JSON.parse(back.stdout), { imported: 2104, skipped: 0, refused: 0 })
  t.deepEqual(await there.db('users').orderBy('id'), await here.db('users').orderBy('id'))
  t.is((await there.signIn()).status, 200)
  const toScreen = await signet(there, ['export'])
  t.is(toScreen.stdout, await readFile(file, 'utf8'))
})

test('a file cut off in the middle of a line loses that line only, and says so', async (t) => {
  const at = { databaseUrl: await copyTemplate(t) }
  const file = await fileOf([{ username: 'bo' }, { username: 'cy' }])
  await truncate(file, (await stat(file)).size - 5)
  const { code, stdout, stderr } = await signet(at, ['import', file, '--json'])
  t.is(code, 1)
  t.deepEqual(JSON.parse(stdout), { imported: 1, skipped: 0, refused: 1 })
  t.regex(stderr, /^line 2: is not JSON/m)
})

test('the id of a person who is still being erased → its line is refused until the erasure is done', async (t) => {
  const server = await startServer(t)
  const id = '0190d7a8-5c2e-7c11-9b1a-0123456789ab'
  await server.db('deleted_users').insert({ id, deleted_at: new Date() })
  const people = await fileOf([{ id, username: 'bo' }, { username: 'cy' }])
  const { stdout } = await signet(server, ['import', people, '--json'])
  t.deepEqual(JSON.parse(stdout), { imported: 1, skipped: 0, refused: 1 })
  t.is(await server.db('users').where({ id }).first(), undefined)
  await server.db('deleted_users').delete()
  const again = await signet(server, ['import', people, '--json'])
  t.deepEqual(JSON.parse(again.stdout), { imported: 1, skipped: 1, refused: 0 })
})
