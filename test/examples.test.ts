import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { eventually } from '../tools/eventually.ts'
import { root } from '../tools/root.ts'
import { blocksOf, filledIn } from './support/docs/documents.ts'
import { likeFirstStart } from './support/server/first-start.ts'
import { startServer } from './support/server/start-server.ts'

/** Starts the Koa example in a separate process. */
async function startExample(t: ExecutionContext, issuer: string) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, ['examples/koa-service/service.js'], {
    cwd: root,
    env: { PATH, ISSUER: issuer, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await eventually(() => said.includes('"ready"') || child.exitCode !== null, 'it is ready')
  const ask = async (path: string, token?: string) => {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    return (await fetch(url + path, { headers })).status
  }
  const stop = () => {
    child.kill('SIGTERM')
    return exited
  }
  return { url, ask, stop, said: () => said }
}

test('the curl commands of the Koa example work as pasted', async (t) => {
  const server = await startServer(t)
  const { demo, password } = await likeFirstStart(server)
  const service = await startExample(t, server.app.issuer)
  const readme = await readFile(join(root, 'examples/koa-service/README.md'), 'utf8')
  const given = {
    URL: server.url,
    SERVICE: service.url,
    CLIENT: `demo:${demo.secret}`,
    PASSWORD: password,
  }
  const script = filledIn(t, blocksOf(readme, 'bash').join(''), given)
  // A revocation may take longer than two seconds to arrive here.
  const bearer = '-H "Authorization: Bearer $TOKEN"'
  const wait = `sleep() { while curl -sf -o /dev/null ${bearer} "$SERVICE/"; do command sleep 0.1; done; }`
  const args = ['-euo', 'pipefail', '-c', `${wait}\n${script}`]
  const { stdout } = await promisify(execFile)('bash', args, { timeout: 60_000 })

  const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)
  t.deepEqual(statuses, ['401', '200', '200', '200', '401'], stdout)
  t.regex(service.said(), /"token_revoked"/)
})

test('the Koa example accepts valid tokens only, and works without the server', async (t) => {
  const server = await startServer(t)
  const { demo, password } = await likeFirstStart(server)
  await server.services.users.create({
    username: 'ben',
    password: 'the password of ben',
    roles: [],
  })
  const service = await startExample(t, server.app.issuer)
  const signIn = async (username: string, secret: string, scope: string) =>
    (await server.signIn({ username, password: secret, scope }, demo)).body
  const admin = await signIn('admin', password, 'read offline_access')
  const ben = await signIn('ben', 'the password of ben', 'write')
  const elsewhere = (await server.clientCredentials()).body.access_token

  t.deepEqual(await service.ask('/reports', admin.access_token), 200)
  t.is(await service.ask('/audit', admin.access_token), 200)
  t.is(await service.ask('/', ben.access_token), 200)
  t.is(await service.ask('/reports', ben.access_token), 403, 'lacks the scope')
  t.is(await service.ask('/audit', ben.access_token), 403, 'lacks the role')
  t.is(await service.ask('/', elsewhere), 401, 'for another audience')
  t.is(await service.ask('/'), 401)
  t.is(await service.ask('/hello'), 200)
  t.is(await service.ask('/hello', elsewhere), 401)
  t.is(await service.ask('/health'), 200)

  await server.revoke(admin.refresh_token, demo)
  const isRefused = async () => (await service.ask('/', admin.access_token)) === 401
  await eventually(isRefused, 'the ended session is refused')
  t.is(await service.ask('/', ben.access_token), 200)
  await server.stop()
  t.is(await service.ask('/', ben.access_token), 200, 'no request per token')
  t.is(await service.ask('/', admin.access_token), 401)
  t.is(await service.stop(), 0, service.said())
})
