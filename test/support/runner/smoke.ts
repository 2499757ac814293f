import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../../tools/eventually.ts'

/**
 * `npm start` as a newcomer does it, from nothing: wait, paste the curl line, verify the token, stop;
 * then once more, to see that it finds everything. Exits 1 when anything of that goes wrong.
 */
const folder = await mkdtemp(join(tmpdir(), 'signet-smoke-'))
// As root, PostgreSQL runs as somebody else, who must get through.
await chmod(folder, 0o711)
const environment = {
  ...process.env,
  NODE_ENV: 'development',
  PORT: String(await freePort()),
  METRICS_PORT: '0',
  DATA_DIR: join(folder, 'data'),
  KEYS_DIR: join(folder, 'keys'),
}
/** The promise is 5 s and 2 s; a machine that builds gets three times as much. */
const limits = { first: 15, again: 6 }

try {
  const first = await start()
  check(first.seconds <= limits.first, `ready in ${first.seconds} s at the first start`)
  const curl = /^ +curl (?:.*\\\n)*.*$/m.exec(first.said())?.[0] ?? 'false'
  const { stdout } = await promisify(execFile)('bash', ['-c', curl])
  const issuer = `http://127.0.0.1:${environment.PORT}`
  const jwks = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
  const { payload } = await jwtVerify(JSON.parse(stdout).access_token, jwks, { issuer })
  check(payload.client_id === 'demo', 'the curl line gave a token that the JWKS verifies')
  await first.stop('SIGTERM')
  const again = await start()
  check(again.seconds <= limits.again, `ready in ${again.seconds} s at the second start`)
  check(!/curl/.test(again.said()), 'the second start found everything')
  await again.stop('SIGINT')
} catch (error) {
  check(false, (error as Error).stack ?? String(error))
}
await rm(folder, { recursive: true, force: true, maxRetries: 5 })

function check(holds: boolean, what: string): void {
  console.log(`  ${holds ? '✔' : '✘'} npm start: ${what}`)
  if (!holds) process.exitCode = 1
}

async function start() {
  const npm = spawn('npm', ['start'], { env: environment, detached: true, stdio: 'pipe' })
  let said = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const exited = once(npm, 'close')
  process.once('exit', () => {
    try {
      process.kill(-(npm.pid ?? 0), 'SIGKILL')
    } catch {
      // The process has ended, as it should.
    }
  })
  const ready = () => /ready in ([\d.]+) s/.exec(said)
  await eventually(() => ready() !== null || npm.exitCode !== null, 'npm start is ready', 120)
  if (!ready()) throw new Error(`npm start has ended:\n${said}`)
  /** SIGTERM as a process manager sends it, to npm; SIGINT as a terminal does, to everybody. */
  const stop = async (signal: 'SIGINT' | 'SIGTERM') => {
    process.kill(signal === 'SIGINT' ? -(npm.pid ?? 0) : (npm.pid ?? 0), signal)
    await Promise.race([exited, sleep(30_000, undefined, { ref: false })])
    check(/^stopped$/m.test(said) && npm.exitCode === 0, `stops cleanly at ${signal}`)
    const left = await findPostmaster(join(environment.DATA_DIR, 'postgres'))
    check(left === undefined, 'PostgreSQL stops with it')
  }
  return { seconds: Number(ready()?.[1]), said: () => said, stop }
}
