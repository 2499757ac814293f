import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import pg from 'pg'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { debianProgram } from '../../../tools/debian-program.ts'
import { eventually } from '../../../tools/eventually.ts'

/** Since 1.21 it follows prepared statements in transaction mode. */
const sinceMinor = 21

/** A PgBouncer in transaction mode in front of a database. PGBOUNCER names another program than Debian's. */
export async function startPgBouncer(t: ExecutionContext<unknown>, databaseUrl: string) {
  const program = process.env.PGBOUNCER ?? debianProgram('pgbouncer')
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  const [, version = '', minor] = /^PgBouncer (1\.(\d+)\.\d+)/m.exec(stdout) ?? []
  const isPreparing = Number(minor) >= sinceMinor
  const { hostname, port: behind, username, password } = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'signet-pgbouncer-'))
  // It does not run as root, and who it runs as must read its file.
  await chmod(folder, 0o755)
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${behind} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
admin_users = ${username}
pool_mode = transaction
default_pool_size = 40
server_login_retry = 1
${isPreparing ? 'max_prepared_statements = 200' : ''}
`,
    { mode: 0o644 },
  )
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  let log = ''
  const launch = () => {
    const child = spawn(program, [...user, file], { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (chunk) => {
      log = (log + chunk).slice(-4000)
    })
    child.once('exit', (code, signal) => {
      log += `it has ended with ${signal ?? code}\n`
    })
    return { child, exited: once(child, 'exit') }
  }
  let running = launch()
  const kill = async () => {
    running.child.kill('SIGKILL')
    await running.exited
  }
  t.teardown(async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  })
  const url = Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href
  await eventually(async () => {
    if (running.child.exitCode !== null) throw new Error(`PgBouncer does not start:\n${log}`)
    return answers(url)
  }, 'PgBouncer answers')
  const start = () => {
    running = launch()
  }
  return { url, version, isPreparing, kill, start, log: () => log }
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}
