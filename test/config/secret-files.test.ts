import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fileVariables } from '../../src/config/secret-files.ts'
import { masterKeyText, production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { emptyFolder, serve, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { withWorkers } from '../support/server/workers.ts'

const url = 'postgres://signet:hunter2@127.0.0.1:1/signet'

/** A folder with a function that writes a secret file into it. */
async function secrets(t: ExecutionContext<unknown>) {
  const folder = await emptyFolder(t)
  const write = async (name: string, content: string | Buffer, mode = 0o400) => {
    const path = join(folder, name)
    await writeFile(path, content)
    await chmod(path, mode)
    return path
  }
  return { folder, write }
}

/** Everything that `signet serve` prints when it refuses to start in development. */
async function refusal(cwd: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await signet(['serve'], { cwd, env: { PORT: '0', ...env } })
  if (code !== 1) throw new Error(`it exited with ${code}: ${stderr}`)
  return stdout + stderr
}

test('secrets in files → the server and its workers start with them', async (t) => {
  const { folder, write } = await secrets(t)
  const { DATABASE_URL, REDIS_URL, MASTER_KEYS, SMTP_URL, ...open } = production(
    await copyTemplate(t),
  )
  const env = {
    ...open,
    DATABASE_URL_FILE: await write('database-url', `${DATABASE_URL}\n`),
    REDIS_URL_FILE: await write('redis-url', `${REDIS_URL}\r\n`),
    MASTER_KEYS_FILE: await write('master-keys', MASTER_KEYS ?? '', 0o440),
    SMTP_URL_FILE: await write('smtp-url', SMTP_URL ?? '', 0o600),
  }
  const serving = await serve(t, { cwd: folder, env, program: await withWorkers(folder) })
  t.is((await new HttpClient(serving.url).clientCredentials()).status, 200)
})

test('a file behind symbolic links, as Kubernetes mounts secrets → read', async (t) => {
  const { folder, write } = await secrets(t)
  await mkdir(join(folder, '..2026'))
  await write('..2026/database-url', `${url}\n`, 0o440)
  await symlink('..2026', join(folder, '..data'))
  await symlink('..data/database-url', join(folder, 'database-url'))
  const { DATABASE_URL, ...env } = production(url)
  const said = await refusal(folder, { ...env, DATABASE_URL_FILE: join(folder, 'database-url') })
  t.regex(said, /ECONNREFUSED 127\.0\.0\.1:1/)
})

test('ASVS 13.3.1: a secret file that others can read or write to → refused, without its content', async (t) => {
  const { folder, write } = await secrets(t)
  for (const modes of [
    [0o444, 0o644, 0o604, 0o420],
    [0o402, 0o660, 0o666, 0o777],
  ]) {
    const paths = await Promise.all(modes.map((mode) => write(mode.toString(8), url, mode)))
    const env = Object.fromEntries(paths.map((path, i) => [fileVariables[i] ?? '', path]))
    const said = await refusal(folder, env)
    for (const [variable, path] of Object.entries(env)) {
      t.true(said.includes(`${variable} names ${path}, which other users can `), said)
    }
    t.is(said.match(/Run: chmod (o-r|go-w) on it/g)?.length, 4)
    t.notRegex(said, /hunter2/)
  }
})

const unusable: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['empty', '', /is empty/],
  ['a newline only', '\n', /is empty/],
  ['too long', 'x'.repeat(16_385), /is larger than 16384 bytes/],
  ['with NUL', `${url}\0`, /is not a text in UTF-8/],
  ['not UTF-8', Buffer.from([0x70, 0xff, 0xfe]), /is not a text in UTF-8/],
  ['of two lines', `${url}\n${url}\n`, /has more than one line/],
]

test('a secret file that is empty, too large, no text or of several lines → each is named, without its content', async (t) => {
  const { folder, write } = await secrets(t)
  for (const cases of [unusable.slice(0, 3), unusable.slice(3)]) {
    const paths = await Promise.all(cases.map(([name, content]) => write(name, content)))
    const said = await refusal(
      folder,
      Object.fromEntries(paths.map((path, i) => [fileVariables[i] ?? '', path])),
    )
    for (const [i, [name, , problem]] of cases.entries()) {
      const line = `${fileVariables[i]} names ${paths[i]}, which ${problem.source}`
      t.regex(said, new RegExp(line), name)
    }
    t.notRegex(said, /hunter2|xxx/)
  }
})

test('a path that leads to no readable file → named, and a pipe does not block the start', async (t) => {
  const { folder } = await secrets(t)
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const said = await refusal(folder, {
    DATABASE_URL_FILE: join(folder, 'nowhere'),
    MASTER_KEYS_FILE: folder,
    SMTP_URL_FILE: pipe,
    REDIS_URL_FILE: '/dev/zero',
  })
  t.regex(said, /DATABASE_URL_FILE names .*nowhere.*there is no such file/)
  for (const name of ['MASTER_KEYS_FILE', 'SMTP_URL_FILE', 'REDIS_URL_FILE']) {
    t.regex(said, new RegExp(`${name} names .*is not a regular file`))
  }
})

test('a secret in place of a path → refused without repeating it', async (t) => {
  const { folder } = await secrets(t)
  const said = await refusal(folder, { DATABASE_URL_FILE: url, MASTER_KEYS_FILE: masterKeyText })
  t.regex(said, /DATABASE_URL_FILE must be the path of a file, not the value of DATABASE_URL/)
  t.regex(said, /MASTER_KEYS_FILE must be the path of a file, not the value of MASTER_KEYS/)
  t.notRegex(said, new RegExp(`hunter2|${masterKeyText}`))
})

test('a value and a file for the same secret → an error; a wrong value in a file → named like the variable', async (t) => {
  const { folder, write } = await secrets(t)
  const path = await write('database-url', url)
  const said = await refusal(folder, { DATABASE_URL: url, DATABASE_URL_FILE: path })
  t.regex(said, /DATABASE_URL_FILE and DATABASE_URL are both set: remove one of them/)
  t.notRegex(said, /hunter2/)

  const wrong = await write('wrong', 'mysql://root:hunter2@db/x')
  const other = await refusal(folder, { DATABASE_URL_FILE: wrong })
  t.regex(other, /DATABASE_URL must be a URL/)
  t.notRegex(other, /hunter2/)
})

test('a missing secret file in production → the variable is not reported as missing too', async (t) => {
  const { folder } = await secrets(t)
  const { DATABASE_URL, ...env } = production(url)
  const said = await refusal(folder, { ...env, DATABASE_URL_FILE: join(folder, 'nowhere') })
  t.is(said.match(/DATABASE_URL/g)?.length, 1, said)
})

test('a secret file that the group can read without need → doctor names it, and never the content', async (t) => {
  const { folder, write } = await secrets(t)
  const { DATABASE_URL, ...env } = production(await copyTemplate(t))
  const path = await write('database-url', `${DATABASE_URL}\n`, 0o640)
  const doctor = async () => {
    const options = { cwd: folder, env: { ...env, DATABASE_URL_FILE: path } }
    const { stdout, stderr } = await signet(['doctor'], options)
    t.notRegex(stdout + stderr, /postgres(ql)?:\/\//)
    return stdout
  }
  t.true((await doctor()).includes(`DATABASE_URL_FILE: the group can read ${path}`))
  await chmod(path, 0o600)
  t.notRegex(await doctor(), /secret files/)
  await rm(path)
  t.regex(await doctor(), /DATABASE_URL_FILE names .*there is no such file/)
})

test('a secret that Docker mounts for everyone below /run/secrets → read, and doctor names it', async (t) => {
  const folder = await emptyFolder(t)
  await mkdir('/run/secrets', { recursive: true })
  const mounted = await mkdtemp('/run/secrets/signet-')
  t.teardown(() => rm(mounted, { recursive: true }))
  const { DATABASE_URL, ...env } = production(await copyTemplate(t))
  const path = join(mounted, 'database-url')
  await writeFile(path, `${DATABASE_URL}\n`)
  await chmod(path, 0o444)
  const options = { cwd: folder, env: { ...env, DATABASE_URL_FILE: path } }
  const { stdout } = await signet(['doctor'], options)
  t.true(stdout.includes(`DATABASE_URL_FILE: every user of this container can read ${path}`))
  t.regex(stdout, /^ok +database /m)
})
