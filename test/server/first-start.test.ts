import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { findPostmaster } from '../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../tools/eventually.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { beginServing, emptyFolder, type Serving, serve, signet } from '../support/server/signet.ts'

const curlLine = (serving: Pick<Serving, 'stderr'>): string =>
  /^ +curl (?:.*\\\n)*.*$/m.exec(serving.stderr())?.[0] ?? 'no curl line'

const paste = async (line: string) =>
  JSON.parse((await promisify(execFile)('bash', ['-c', line])).stdout)

const cluster = (home: string) => join(home, '.data', 'postgres')

test.serial(
  'from nothing: the curl line works when pasted, and the next start finds everything',
  async (t) => {
    const home = await emptyFolder(t)
    const first = await serve(t, { cwd: home })
    t.log(`ready in ${first.readySeconds.toFixed(1)} s`)
    const tokens = await paste(curlLine(first))
    const jwks = createRemoteJWKSet(new URL(`${first.url}/.well-known/jwks.json`))
    const { payload } = await jwtVerify(tokens.access_token, jwks, { issuer: first.url })
    t.deepEqual(payload.roles, ['admin'])
    const [, keyFile = ''] = /creating a master key: (.*)/.exec(first.stderr()) ?? []
    for (const file of [join(home, keyFile), join(home, '.data', 'postgres-password')]) {
      t.is((await stat(file)).mode & 0o777, 0o600)
      const secret = (await readFile(file, 'utf8')).trim()
      t.false((first.stderr() + first.stdout()).includes(secret))
    }

    first.signal('SIGINT')
    t.is(await first.exited, 0, first.stderr())
    t.regex(first.stderr(), /stopping: SIGINT\nstopped\n$/)
    t.is(await findPostmaster(cluster(home)), undefined, 'PostgreSQL is stopped too')

    const again = await serve(t, { cwd: home, env: { PORT: String(first.port) } })
    t.log(`ready again in ${again.readySeconds.toFixed(1)} s`)
    t.notRegex(again.stderr(), /shown this once|curl|making|Creating|migrating/)
    const refreshed = await refresh(first, tokens.refresh_token)
    t.is(refreshed.status, 200, refreshed.text)
    // The keys are the same too: what was signed before the restart still verifies.
    const fresh = createRemoteJWKSet(new URL(`${again.url}/.well-known/jwks.json`))
    await t.notThrowsAsync(jwtVerify(tokens.access_token, fresh, { issuer: first.url }))
  },
)

test.serial(
  'after kill -9 of everything at once the next start comes up and no session is lost',
  async (t) => {
    const home = await emptyFolder(t)
    const first = await serve(t, { cwd: home })
    const tokens = await paste(curlLine(first))
    const refreshed = await refresh(first, tokens.refresh_token)
    const postmaster = await findPostmaster(cluster(home))
    process.kill(postmaster?.pid ?? 0, 'SIGKILL')
    first.signal('SIGKILL')
    t.is(await first.exited, null)

    const again = await serve(t, { cwd: home, env: { PORT: String(first.port) } })
    t.log(`ready after a crash in ${again.readySeconds.toFixed(1)} s`)
    const next = await refresh(first, refreshed.body.refresh_token)
    t.is(next.status, 200, next.text)
  },
)

test.serial(
  'a kill -9 of the server alone leaves a database that the next start takes over',
  async (t) => {
    const home = await emptyFolder(t)
    const first = await serve(t, { cwd: home })
    const tokens = await paste(curlLine(first))
    first.signal('SIGKILL')
    await first.exited

    const again = await serve(t, { cwd: home, env: { PORT: String(first.port) } })
    t.is((await refresh(first, tokens.refresh_token)).status, 200)
    again.signal('SIGTERM')
    t.is(await again.exited, 0)
    t.is(await findPostmaster(cluster(home)), undefined)
  },
)

test.serial(
  'a start while another one runs in the folder says so; commands work beside it',
  async (t) => {
    const home = await emptyFolder(t)
    const first = await serve(t, { cwd: home })
    const second = await signet(['serve'], { cwd: home, env: { PORT: '0', ISSUER: first.url } })
    t.is(second.code, 1)
    t.regex(second.stderr, new RegExp(`Another Signet already runs .*process ${first.pid}`))
    const listed = await signet(['users', 'list', '--json'], { cwd: home })
    t.is(listed.json()[0].username, 'admin')
    t.is((await new HttpClient(first.url).get('/health/ready')).status, 200)
  },
)

test.serial('a port in use → named, and no process keeps running', async (t) => {
  const home = await emptyFolder(t)
  const stranger = createServer().listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  t.teardown(() => stranger.close())
  const { port } = stranger.address() as AddressInfo
  const env = { PORT: String(port), METRICS_PORT: '0' }
  const refused = await signet(['serve'], { cwd: home, env })
  t.is(refused.code, 1)
  t.regex(refused.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use.*set PORT`))
  t.is(await findPostmaster(cluster(home)), undefined)
})

/** With the client that the first start has printed. */
function refresh(serving: Serving, refreshToken: string) {
  const [, id = '', secret = ''] = /^ +client +(\S+) +(\S+)$/m.exec(serving.stderr()) ?? []
  return new HttpClient(serving.url).refresh(refreshToken, {}, { id, secret })
}

test.serial('a first start is ready → its credentials have been printed', async (t) => {
  const home = await emptyFolder(t)
  const first = await beginServing(t, { cwd: home })
  const isReady = async () =>
    (await new HttpClient(first.url).get('/health/ready').catch(() => undefined))?.status === 200
  await eventually(isReady, 'it is ready')
  // Everything printed by then is in the pipe.
  for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done))
  t.regex(first.stderr(), /administrator +admin +\S+/)
  t.true(curlLine(first).includes(first.url), first.stderr())
})
