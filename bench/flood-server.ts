import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openEmbeddedPostgres } from '../src/stores/embedded/embedded-postgres.ts'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { eventually } from '../tools/eventually.ts'
import { production } from '../tools/fixtures.ts'
import { databaseUrl, prepareTemplate, templateName } from '../tools/template.ts'

/** A built server with a durable PostgreSQL of its own, as somebody would run it. */
export interface FloodServer {
  readonly url: string
  /** That of the issuer. */
  readonly origin: string
  readonly port: number
  readonly pid: number
  readonly databaseUrl: string
  /** Makes people with this hash, and says their names. */
  addPeople(count: number, passwordHash: string): Promise<string[]>
  /** Kills it and starts it again on the same port. */
  restart(): Promise<void>
  close(): Promise<void>
}

type Environment = Readonly<Record<string, string>>

const program = fileURLToPath(new URL('../dist/src/main.cjs', import.meta.url))

export async function startFloodServer(
  workers: number,
  say: (line: string) => void,
  change: (env: Environment) => Environment | Promise<Environment> = (env) => env,
): Promise<FloodServer> {
  const folder = await mkdtemp(join(tmpdir(), 'signet-flood-'))
  await chmod(folder, 0o711)
  const postgres = await openEmbeddedPostgres({ directory: join(folder, 'postgres'), notify: say })
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    const late = setTimeout(() => child?.kill('SIGKILL'), 20_000)
    await exit
    clearTimeout(late)
  }
  const close = async () => {
    await end('SIGTERM')
    await postgres.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await prepareTemplate(postgres.url)
    const url = databaseUrl(postgres.url, templateName)
    const port = await freePort()
    const { PATH = '', HOME = '', TMPDIR = '' } = process.env
    const env = await change({
      ...{ PATH, HOME, TMPDIR, ...production(url), REDIS_URL: 'none' },
      ...{ PORT: String(port), METRICS_PORT: '0' },
    })
    const args = workers > 1 ? ['serve', '--workers', String(workers)] : ['serve']
    const base = `http://127.0.0.1:${port}`
    const isUp = () =>
      fetch(`${base}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    const launch = async () => {
      child = spawn(process.execPath, [program, ...args], {
        ...{ cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] },
      })
      await eventually(isUp, 'the server is ready', 60)
    }
    await launch()
    const restart = async () => {
      await end('SIGKILL')
      await launch()
    }
    const addPeople = (count: number, passwordHash: string) => insert(url, count, passwordHash)
    return {
      ...{
        url: base,
        origin: env.ISSUER ?? base,
        port,
        databaseUrl: url,
        addPeople,
        restart,
        close,
      },
      get pid() {
        return child?.pid ?? 0
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function insert(url: string, count: number, passwordHash: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const sql = `
    INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
    SELECT gen_random_uuid(), 'flood-' || n, $1, now(), '{}', now() FROM generate_series(1, $2) n
    RETURNING username`
  const { rows } = await client.query(sql, [passwordHash, count]).finally(() => client.end())
  return rows.map(({ username }) => username)
}
