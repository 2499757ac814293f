import { chmod, mkdir, mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
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
import type { Closing } from '../server/closing.ts'

/** More than a run has test databases. */
const redisDatabases = 4096

const log = (line: string) => console.log(`• ${line}`)

/**
 * Starts what ava's tests need, or takes what DATABASE_URL and REDIS_URL name: a PostgreSQL with the template
 * database, and a Redis.
 *
 * @returns the environment for ava
 */
export async function openServices(
  closing: Closing,
  interruption: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder(closing)
  const redis = await redisFor(closing)
  const postgresUrl = await postgresFor(join(folder, 'postgres-server'), closing)
  interruption.throwIfAborted()
  const started = performance.now()
  await prepareTemplate(postgresUrl)
  log(`The template database is ready (${Math.round(performance.now() - started)} ms)`)
  interruption.throwIfAborted()
  const temporary = join(folder, 'tests')
  await mkdir(temporary, { mode: 0o711 })
  return {
    ...process.env,
    TMPDIR: temporary,
    TEST_DATABASE_URL: postgresUrl,
    // Half the time in memory; PostgreSQL 14, which somebody may bring, does not know it.
    ...(!process.env.DATABASE_URL && { TEST_DATABASE_STRATEGY: 'FILE_COPY' }),
    TEST_REDIS_URL: redis.url,
    // One that somebody brings may have sixteen, with other data in them.
    ...(!process.env.REDIS_URL && { TEST_REDIS_DATABASES: String(redisDatabases) }),
    TEST_REDIS_SERVER: redis.program,
    ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
  }
}

/** Everything that the run and its tests put on the disk, so that one removal leaves nothing. */
async function temporaryFolder(closing: Closing): Promise<string> {
  const folder = await mkdtemp(join(await roomiest(), 'signet-test-'))
  // As root, PostgreSQL runs as somebody else, who must get through.
  await chmod(folder, 0o711)
  closing.add(() => stopLeftovers(folder))
  process.env.TMPDIR = folder
  return folder
}

/**
 * In memory where there is room: databases are copied and dropped by the hundred, which a disk makes
 * several times as slow. TMPDIR names another place.
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

async function postgresFor(directory: string, closing: Closing): Promise<string> {
  const given = process.env.DATABASE_URL
  if (given) hostOf('DATABASE_URL', given)
  const server = given
    ? await borrowPostgresServer(given)
    : await startPostgresServer(directory, log)
  closing.add(() => server.close())
  const { host } = new URL(server.url)
  log(`PostgreSQL: ${given ? `DATABASE_URL, ${host}` : `an embedded one of this run, ${host}`}`)
  return server.url
}

/** Tests also start Redis servers of their own, to stop and freeze them: a URL alone will not do. */
async function redisFor(closing: Closing): Promise<{ url: string; program: string }> {
  const given = process.env.REDIS_URL
  if (given) await checkRedis(given)
  const program = redisProgram(log)
  installOthers(log)
  if (given) {
    log(`Redis: REDIS_URL, ${hostOf('REDIS_URL', given)}; ${program} for tests that need their own`)
    return { url: given, program }
  }
  const server = await startRedisServer({
    program,
    settings: { databases: String(redisDatabases) },
  })
  closing.add(() => server.close())
  log(`Redis: ${program} on 127.0.0.1:${server.port}`)
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
