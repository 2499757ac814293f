import { chmod, mkdir, mkdtemp, statfs } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { installOthers } from '../../../tools/debian-program.ts'
import {
  borrowPostgresServer,
  startPostgresServer,
  stopLeftovers,
} from '../../../tools/postgres-server.ts'
import { redisProgram, startRedisServer } from '../../../tools/redis-server.ts'
import { prepareTemplate } from '../../../tools/template.ts'
import { runAva } from './ava.ts'
import { buildTests, builtName } from './build.ts'
import { groupTests } from './groups.ts'
import type { Tally } from './tally.ts'

/**
 * `npm test`: a real PostgreSQL and a real Redis, then ava with whatever arguments were given, then
 * everything that was started is stopped. The last line is for machines: `N passed, N failed`.
 */
const say = (line: string) => console.log(`• ${line}`)
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interruption.abort(new Error(`stopped by ${signal}`)))
}

const closers: (() => Promise<void>)[] = []
let counts: Tally = { passed: 0, failed: 1 }
try {
  counts = await test()
} catch (error) {
  console.error(`✘ ${(error as Error).message}`)
}
for (const close of closers.reverse()) {
  await close().catch((error) => console.error(`✘ while tidying up: ${error.message}`))
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed > 0 ? 1 : 0

async function test(): Promise<Tally> {
  await buildTests()
  const folder = await temporaryFolder()
  const redis = await redisFor()
  const postgresUrl = await postgresFor(join(folder, 'postgres-server'))
  interruption.signal.throwIfAborted()
  const started = performance.now()
  await prepareTemplate(postgresUrl)
  say(`The template database is ready (${Math.round(performance.now() - started)} ms)`)
  interruption.signal.throwIfAborted()
  const temporary = join(folder, 'tests')
  await mkdir(temporary, { mode: 0o711 })
  const env = {
    ...process.env,
    TMPDIR: temporary,
    TEST_DATABASE_URL: postgresUrl,
    // Half the time in memory; PostgreSQL 14, which somebody may bring, does not know it.
    ...(!process.env.DATABASE_URL && { TEST_DATABASE_STRATEGY: 'FILE_COPY' }),
    TEST_REDIS_URL: redis.url,
    TEST_REDIS_SERVER: redis.program,
    ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
  }
  return runAva(await avaArguments(), env, interruption.signal)
}

/**
 * Folders run in groups, a file or a pattern that is named runs as it is. The whole suite takes twice the
 * cores: a test waits half of its time for a database, a process or a moment.
 */
async function avaArguments(): Promise<string[]> {
  const args = process.argv.slice(2).map(builtName)
  const folders = args.filter((argument) => /^dist\/test\/[^*.]+(\/\*\*)?$/.test(argument))
  const others = args.filter((argument) => !folders.includes(argument))
  const isWhole = !args.some((argument) => argument.startsWith('dist/'))
  if (!isWhole && folders.length === 0) return others
  const groups = await groupTests(folders.map((folder) => folder.replace(/\/(\*\*)?$/, '')))
  const processes = availableParallelism() * (isWhole ? 2 : 1)
  return ['--concurrency', String(processes), ...groups, ...others]
}

/** Everything that the run and its tests put on the disk, so that one removal leaves nothing. */
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(await roomiest(), 'signet-test-'))
  // As root, PostgreSQL runs as somebody else, who must get through.
  await chmod(folder, 0o711)
  closers.push(() => stopLeftovers(folder))
  process.env.TMPDIR = folder
  return folder
}

/**
 * In memory where there is room: databases are copied and dropped by the hundred, which a disk makes
 * several times as slow. Where to is TMPDIR for whoever wants it elsewhere.
 */
async function roomiest(): Promise<string> {
  const memory = '/dev/shm'
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }))
  return !process.env.TMPDIR && bavail * bsize > 4 * 1024 ** 3 ? memory : tmpdir()
}

function hostOf(variable: string, url: string): string {
  if (!URL.canParse(url)) throw new Error(`${variable} is not a URL`)
  return new URL(url).host
}

async function postgresFor(directory: string): Promise<string> {
  const given = process.env.DATABASE_URL
  if (given) hostOf('DATABASE_URL', given)
  const server = given
    ? await borrowPostgresServer(given)
    : await startPostgresServer(directory, say)
  closers.push(() => server.close())
  const { host } = new URL(server.url)
  say(`PostgreSQL: ${given ? `DATABASE_URL, ${host}` : `an embedded one of this run, ${host}`}`)
  return server.url
}

/** Tests also start Redis servers of their own, to stop and freeze them: a URL alone will not do. */
async function redisFor(): Promise<{ url: string; program: string }> {
  const given = process.env.REDIS_URL
  if (given) await checkRedis(given)
  const program = redisProgram(say)
  installOthers(say)
  if (given) {
    say(`Redis: REDIS_URL, ${hostOf('REDIS_URL', given)}; ${program} for tests that need their own`)
    return { url: given, program }
  }
  const server = await startRedisServer({ program })
  closers.push(() => server.close())
  say(`Redis: ${program} on 127.0.0.1:${server.port}`)
  return { url: server.url, program }
}

async function checkRedis(url: string): Promise<void> {
  const host = hostOf('REDIS_URL', url)
  const client = new Redis(url, { lazyConnect: true, connectTimeout: 10_000, retryStrategy: null })
  let why: Error | undefined
  client.on('error', (error) => {
    why = error
  })
  try {
    await client.connect()
    await client.ping()
  } catch (error) {
    const { message } = why ?? (error as Error)
    throw new Error(`REDIS_URL is set, but Redis at ${host} does not answer: ${message}`)
  } finally {
    client.disconnect()
  }
}
