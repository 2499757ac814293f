import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { workerCount } from '../../../src/cli/arguments.ts'
import { cpuQuota, readAllowance } from '../../../src/server/cgroup.ts'
import { WorkerMetrics } from '../../../src/server/workers/pool-metrics.ts'
import { replacement, shareOf, threadsFor } from '../../../src/server/workers/worker-pool.ts'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../../src/stores/embedded/postmaster-file.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import { eventually } from '../../../tools/eventually.ts'
import { production } from '../../../tools/fixtures.ts'
import { beginServing, emptyFolder, serve } from '../../support/server/signet.ts'
import { copyTemplate } from '../../support/server/start-server.ts'
import {
  ask,
  counted,
  type StartedWorkers,
  startWorkers,
  withWorkers,
} from '../../support/server/workers.ts'

const lives = 'signet_http_requests_total{route="/health/live",method="GET",status="200"}'

/** Four callers, each with one request at a time: only requests in progress can fail. */
async function callersDuring(url: string, work: () => Promise<void>) {
  let working = true
  const counts = { answered: 0, failed: 0 }
  const callers = Array.from({ length: 4 }, async () => {
    while (working) {
      const status = await ask(url).catch(() => 0)
      counts[status === 200 ? 'answered' : 'failed'] += 1
    }
  })
  await work()
  working = false
  await Promise.all(callers)
  return counts
}

test('two workers → both answer on one port, metrics are sums, a killed one is replaced', async (t) => {
  const server = await startWorkers(t)
  const [victim = 0, other] = server.pids()
  t.true(victim > 0 && other !== undefined && victim !== other)
  let asked = 0
  const workers = () => {
    const lines = server.logged().filter(({ path }) => path === '/health/live')
    return new Set(lines.map(({ worker }) => worker))
  }
  await eventually(async () => {
    const statuses = await Promise.all(Array.from({ length: 8 }, () => ask(server.url)))
    asked += statuses.length
    return workers().size === 2
  }, 'both answer, and each line of the log says which')
  // One fills Redis for both, and the other sees it at its next look.
  const trusted = async () => (await counted(server)).signet_redis_trusted === 1
  await eventually(trusted, 'what all see alike is not added up')
  const before = await counted(server)
  t.is(before[lives], asked)
  t.is(before.signet_workers, 2)

  const calls = await callersDuring(server.url, async () => {
    process.kill(victim, 'SIGKILL')
    await eventually(() => server.pids().length === 3, 'another has taken its place')
    await eventually(async () => (await counted(server)).signet_workers === 2, 'it is counted')
  })
  t.true(calls.failed <= 4, `${calls.failed} failed: no more than were under way`)
  t.true(calls.answered > 0)
  const gone = server.logged().find(({ msg }) => /has ended and is replaced/.test(msg))
  t.like(gone, { why: 'SIGKILL', delaySeconds: 0 })
  const after = await counted(server)
  t.is(after.signet_workers_replaced, 1)
  t.true((after[lives] ?? 0) >= asked, 'a counter does not fall with its worker')

  server.signal('SIGTERM')
  t.is(await server.exited, 0, server.stderr())
})

/** A sign-in that waits until the end of a transaction that locks the people. */
async function blockedSignIn({ client, browser }: StartedWorkers) {
  await client.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
  const answer = browser.signIn()
  answer.catch(() => undefined)
  const waits = `
    SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE NOT granted AND relation = 'users'::regclass AND datname = current_database()`
  await eventually(async () => (await client.query(waits)).rowCount === 1, 'the sign-in waits')
  return { answer }
}

test('SIGTERM to all processes → requests in progress are answered, then every worker ends', async (t) => {
  const server = await startWorkers(t)
  const { client, pids } = server
  const blocked = await blockedSignIn(server)
  server.signal('SIGTERM')
  await eventually(() => /stopping: SIGTERM/.test(server.stdout()), 'it stops')
  await client.query('COMMIT')
  const answer = await blocked.answer
  t.is(answer.status, 200, answer.text)
  t.is(answer.headers.get('connection'), 'close')
  t.is(await server.exited, 0, server.stderr())
  for (const pid of pids()) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  t.is(server.logged().filter(({ msg }) => msg === 'stopped').length, 1, 'said once')
})

test('SIGTERM to the primary alone → all stop; a second signal does not wait for requests', async (t) => {
  const server = await startWorkers(t, { SHUTDOWN_SECONDS: '300' })
  const blocked = await blockedSignIn(server)
  process.kill(server.pid, 'SIGTERM')
  await eventually(() => /stopping: SIGTERM/.test(server.stdout()), 'it stops')
  process.kill(server.pid, 'SIGTERM')
  await t.throwsAsync(blocked.answer)
  await server.client.query('COMMIT')
  t.is(await server.exited, 0, server.stderr())
  for (const pid of server.pids()) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('workers that cannot start → the server ends with the reason', async (t) => {
  const taken = createServer().listen(await freePort(), '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const cwd = await emptyFolder(t)
  const { port } = taken.address() as { port: number }
  const env = { ...production(await copyTemplate(t)), PORT: String(port) }
  const serving = await beginServing(t, { cwd, program: await withWorkers(cwd), env })
  t.is(await serving.exited, 1)
  t.regex(serving.stderr(), /is in use, perhaps by another Signet/)
  t.regex(serving.stderr(), /A worker did not start/)
})

test('a first start with workers → database, keys and people are created once, and all stop', async (t) => {
  const cwd = await emptyFolder(t)
  const serving = await serve(t, { cwd, program: await withWorkers(cwd) })
  const said = serving.stderr()
  for (const once of [
    /creating a master key/g,
    /migrating the database/g,
    /administrator {2}admin/g,
  ]) {
    t.is(said.match(once)?.length, 1, `${once}: ${said}`)
  }
  t.regex(said, /2 workers, each with up to 10 connections to PostgreSQL: 20 in total/)
  t.is(await ask(serving.url), 200)
  serving.signal('SIGINT')
  t.is(await serving.exited, 0, serving.stderr())
  t.is(await findPostmaster(join(cwd, '.data', 'postgres')), undefined)
  t.regex(await readFile(join(cwd, '.data', 'postgres', 'PG_VERSION'), 'utf8'), /^\d+/)
})

/** The snapshot of a worker that answered this many requests and has this many checks waiting. */
function snapshot(answered: number, waiting: number) {
  const metrics = new Metrics()
  metrics.requests.inc({ route: '/x', method: 'GET', status: 200 }, answered)
  for (let count = 0; count < answered; count += 1)
    metrics.tokenSeconds.observe({ grant: 'x' }, 0.2)
  metrics.gauge('password_checks_waiting', 'Waiting', () => waiting)
  metrics.gauge('feed_entries', 'Entries', () => 7)
  return metrics.registry.getMetricsAsJSON()
}

test('a worker that ended → its counters stay in the sum, its gauges do not', async (t) => {
  const all = new WorkerMetrics()
  const lines = async () => (await all.metrics([])).split('\n')
  all.keep(1, await snapshot(10, 3))
  all.keep(2, await snapshot(5, 4))
  const requests = 'signet_http_requests_total{route="/x",method="GET",status="200"}'
  const isAll = async (...expected: string[]) => {
    const said = await lines()
    for (const line of expected) t.true(said.includes(line), `${line}:\n${said.join('\n')}`)
  }
  await isAll(`${requests} 15`, 'signet_password_checks_waiting 7', 'signet_feed_entries 7')
  await all.leave(1)
  await isAll(`${requests} 15`, 'signet_password_checks_waiting 4', 'signet_feed_entries 7')
  await isAll('signet_token_request_seconds_count{grant="x"} 15')
  all.keep(3, await snapshot(1, 0))
  await all.leave(2)
  await isAll(`${requests} 16`, 'signet_password_checks_waiting 0')
  await isAll('signet_token_request_seconds_bucket{le="0.25",grant="x"} 16')
})

test('a worker that dies right after each start → replaced more and more slowly', (t) => {
  const delays: number[] = []
  let failures = 0
  for (let death = 0; death < 8; death += 1) {
    const next = replacement({ failures, livedSeconds: 1 })
    delays.push(next.delaySeconds)
    failures = next.failures
  }
  t.deepEqual(delays, [0, 1, 2, 4, 8, 16, 30, 30])
  t.is(replacement({ failures, livedSeconds: 30 }).delaySeconds, 0, 'it was well')
})

test('several workers → password checks and threads are divided among them', (t) => {
  const shares = (total: number, workers: number) =>
    Array.from({ length: workers }, (_, index) => shareOf(total, workers, index + 1))
  t.deepEqual(shares(8, 2), [4, 4])
  t.deepEqual(shares(5, 3), [2, 2, 1])
  t.deepEqual(shares(1, 3), [1, 1, 1], 'at least one each')
  const threads = [
    [1, 8],
    [8, 8],
    [3, 64],
    [1, 4096],
  ] as const
  t.deepEqual(
    threads.map(([workers, cores]) => threadsFor(workers, cores)),
    [10, 4, 24, 1024],
  )
})

test('--workers → a number or auto', (t) => {
  t.is(workerCount('3'), 3)
  t.true(workerCount('auto') >= 1)
  for (const wrong of ['0', '-1', '1.5', '257', 'many', ''])
    t.throws(() => workerCount(wrong), undefined, wrong)
})

const among = (files: Record<string, string>) => (path: string) => files[path]

/** The files of cgroups version 1 in a container, where the own group is mounted as the root. */
const v1 = (quota: string) => ({
  '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': `${quota}\n`,
  '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
})

test('a CPU quota → the lowest of the own cgroup and of all above it', (t) => {
  const v2 = {
    '/proc/self/cgroup': '0::/pod/app\n',
    '/sys/fs/cgroup/pod/app/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
  }
  t.is(cpuQuota(among(v2)), 1.5)
  const limited = {
    // The path is the host's.
    '/proc/self/cgroup': '9:name=systemd:/\n4:memory:/docker/x\n1:cpu,cpuacct:/docker/x\n',
    ...v1('150000'),
  }
  t.is(cpuQuota(among(limited)), 1.5)
  const without = {
    '/proc/self/cgroup': '4:memory:/\n1:cpu:/\n0::/\n',
    ...v1('-1'),
    '/sys/fs/cgroup/cpu.max': 'max 100000\n',
  }
  for (const files of [without, {}]) t.is(cpuQuota(among(files)), Infinity)
  const here = readAllowance()
  t.true(here.cores > 0 && here.cores <= availableParallelism())
  t.true(here.memoryBytes > 2 ** 20 && here.memoryBytes <= totalmem())
})
