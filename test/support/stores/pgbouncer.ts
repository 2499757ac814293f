import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import pg from 'pg'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { debianProgram } from '../../../tools/debian-program.ts'
import { eventually } from '../../../tools/eventually.ts'

/** A PgBouncer in transaction mode in front of a database, as distributions ship it. */
export async function startPgBouncer(t: ExecutionContext<unknown>, databaseUrl: string) {
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
`,
    { mode: 0o644 },
  )
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(debianProgram('pgbouncer'), [...user, file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => {
    log = (log + chunk).slice(-4000)
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  const url = Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer does not start:\n${log}`)
    return answers(url)
  }, 'PgBouncer answers')
  return { url, log: () => log }
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
