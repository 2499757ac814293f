import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { openEmbeddedPostgres } from '../../../src/stores/embedded/embedded-postgres.ts'
import { commandOf } from '../../../src/stores/embedded/postmaster-file.ts'

const source = new URL('../../../src/stores/embedded/embedded-postgres.js', import.meta.url).href

/** A process of its own that opens the folder, claims it, and closes when asked to. */
const neighbour = `
  import { openEmbeddedPostgres } from ${JSON.stringify(source)}
  process.send('opening')
  const postgres = await openEmbeddedPostgres({ directory: process.env.FOLDER, notify: () => {} })
  const holder = await postgres.acquireServeLock('neighbour ' + process.pid)
  process.send({ url: postgres.url, holder })
  process.once('message', () => postgres.close().then(() => process.exit()))
`

async function folderFor(t: ExecutionContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'signet-embedded-'))
  if (process.getuid?.() === 0) await chmod(parent, 0o711)
  t.teardown(() => rm(parent, { recursive: true, force: true, maxRetries: 5 }))
  return join(parent, 'data')
}

const open = (directory: string, said: string[] = []) =>
  openEmbeddedPostgres({ directory, notify: (line) => said.push(line) })

function startNeighbour(folder: string) {
  const args = ['--input-type=module', '-e', neighbour]
  const stdio: ['ignore', 'inherit', 'inherit', 'ipc'] = ['ignore', 'inherit', 'inherit', 'ipc']
  const child = spawn(process.execPath, args, { stdio, env: { ...process.env, FOLDER: folder } })
  const end = async () => {
    const exit = once(child, 'exit')
    child.send('close')
    await exit
  }
  const kill = async () => {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  const opening = once(child, 'message')
  const opened = opening.then(async () => {
    const [answer] = await once(child, 'message')
    return answer as { url: string; holder?: string }
  })
  return { pid: child.pid, opening, opened, end, kill }
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
    .query({ text: sql, rowMode: 'array' })
    .then(({ rows }) => rows.flat())
    .finally(() => client.end())
}

const postmaster = async (folder: string): Promise<number> =>
  Number.parseInt(await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8'), 10)

/** Not so a zombie: not every container has an init that buries orphans. */
const alive = async (pid: number): Promise<boolean> => Boolean(await commandOf(pid))

test('the first start → a database that requires its password, on loopback only', async (t) => {
  const folder = await folderFor(t)
  const postgres = await open(folder)
  t.teardown(postgres.close.bind(postgres))
  const settings = `SELECT current_setting('listen_addresses'), current_setting('server_encoding'),
    current_setting('unix_socket_directories'), current_setting('fsync')`
  t.deepEqual(await query(postgres.url, settings), ['127.0.0.1', 'UTF8', '', 'on'])
  await t.throwsAsync(query(postgres.url.replace(/:[^:]+@/, ':wrong@'), 'SELECT 1'), {
    message: /password authentication failed/,
  })
  t.is((await stat(join(folder, 'postgres-password'))).mode & 0o777, 0o600)
  t.is((await stat(join(folder, 'postgres.log'))).mode & 0o777, 0o600)
  t.is((await stat(join(folder, 'postgres'))).mode & 0o777, 0o700)
})

test('a killed process → the next one uses its PostgreSQL and stops it', async (t) => {
  const folder = await folderFor(t)
  const first = startNeighbour(folder)
  const { url } = await first.opened
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmaster(folder)
  await first.kill()

  const next = await open(folder)
  t.is(await postmaster(folder), pid)
  t.is(await next.acquireServeLock('next'), undefined)
  t.deepEqual(await query(next.url, 'SELECT answer FROM kept'), [42])
  await next.close()
  t.false(await alive(pid))

  const again = await open(folder)
  t.teardown(again.close.bind(again))
  t.deepEqual(await query(again.url, 'SELECT answer FROM kept'), [42])
})

test('concurrent first starts → one PostgreSQL, which the last process stops', async (t) => {
  const folder = await folderFor(t)
  const neighbours = [startNeighbour(folder), startNeighbour(folder), startNeighbour(folder)]
  const answers = await Promise.all(neighbours.map(({ opened }) => opened))
  t.is(new Set(answers.map(({ url }) => url)).size, 1)
  const pid = await postmaster(folder)
  await neighbours[0]?.end()
  await neighbours[1]?.end()
  t.true(await alive(pid))
  t.deepEqual(await query(answers[2]?.url ?? '', 'SELECT 1'), [1])
  await neighbours[2]?.end()
  t.false(await alive(pid))
  t.deepEqual((await readdir(folder)).sort(), ['postgres', 'postgres-password', 'postgres.log'])
})

test('a second serving process in a folder → refused with the name of the first', async (t) => {
  const folder = await folderFor(t)
  const first = startNeighbour(folder)
  t.is((await first.opened).holder, undefined)
  const second = await open(folder)
  t.teardown(second.close.bind(second))
  t.is(await second.acquireServeLock('second'), `neighbour ${first.pid}`)
  await first.end()
  t.is(await second.acquireServeLock('second'), undefined)
})

test('concurrent openings and closings → none fails, and no PostgreSQL is left', async (t) => {
  const folder = await folderFor(t)
  const visit = async () => {
    const postgres = await open(folder)
    const answer = await query(postgres.url, 'SELECT 1')
    await postgres.close()
    return answer
  }
  for (let round = 0; round < 8; round += 1) {
    const visits = Array.from({ length: 3 }, () => sleep(Math.random() * 60).then(visit))
    t.deepEqual(await Promise.all(visits), [[1], [1], [1]])
  }
  await t.throwsAsync(postmaster(folder), { code: 'ENOENT' })
})

test('a PostgreSQL that is killed under a server → restarted on the same port', async (t) => {
  const folder = await folderFor(t)
  const said: string[] = []
  const postgres = await open(folder, said)
  t.teardown(postgres.close.bind(postgres))
  await postgres.acquireServeLock('the server')
  await query(postgres.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  process.kill(await postmaster(folder), 'SIGKILL')
  while (!said.includes('PostgreSQL is running again')) await sleep(20)
  t.deepEqual(await query(postgres.url, 'SELECT answer FROM kept'), [42])

  const second = await open(folder)
  t.is(await second.acquireServeLock('second'), 'the server')
  await second.close()
  t.deepEqual(await query(postgres.url, 'SELECT 1'), [1])
})

test('a lock file whose number belongs to another program → ignored', async (t) => {
  const folder = await folderFor(t)
  const first = await open(folder)
  const file = join(folder, 'postgres/postmaster.pid')
  const [, ...rest] = (await readFile(file, 'utf8')).split('\n')
  await first.close()
  await writeFile(file, [process.pid, ...rest].join('\n'))
  const second = await open(folder)
  t.deepEqual(await query(second.url, 'SELECT 1'), [1])
  await second.close()
})

test('a start that was killed half-way → the next start works', async (t) => {
  const folder = await folderFor(t)
  for (const milliseconds of [60, 150, 350, 500]) {
    const first = startNeighbour(folder)
    await first.opening
    await sleep(milliseconds)
    await first.kill()
  }
  const next = await open(folder)
  t.deepEqual(await query(next.url, 'SELECT 1'), [1])
  await next.close()
  const left = (await readdir(folder)).filter((name) => name.startsWith('postgres.'))
  t.deepEqual(left, ['postgres.log'])
})

test('a folder below one that is closed to others → works', async (t) => {
  const closed = join(await folderFor(t), 'closed')
  await mkdir(closed, { recursive: true, mode: 0o700 })
  const postgres = await open(join(closed, 'data'))
  t.deepEqual(await query(postgres.url, 'SELECT 1'), [1])
  await postgres.close()
})

test('a cluster of another PostgreSQL version → refused with advice', async (t) => {
  const folder = await folderFor(t)
  await mkdir(join(folder, 'postgres'), { recursive: true })
  await writeFile(join(folder, 'postgres/PG_VERSION'), '12\n')
  await t.throwsAsync(open(folder), {
    message: /created by PostgreSQL 12, .* includes 18\. Dump it/,
  })
})
