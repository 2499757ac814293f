import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import test from 'ava'
import { masterKeyText, production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { administer, databaseUrl } from '../../tools/template.ts'
import { emptyFolder, type RunOptions, serve, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** The message of a refused start, which must neither hang nor be a stack. */
async function refusal(options: RunOptions): Promise<string> {
  const env = { PORT: '0', METRICS_PORT: '0', ...options.env }
  const { code, stderr } = await signet(['serve'], { ...options, env })
  if (code !== 1) throw new Error(`it exited with ${code}:\n${stderr}`)
  if (/^ +at /m.test(stderr)) throw new Error(`it shows a stack:\n${stderr}`)
  return stderr
}

test('several configuration errors → all are reported, and no value is repeated', async (t) => {
  const cwd = await emptyFolder(t)
  const env = {
    NODE_ENV: 'production',
    PORT: 'http',
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    ISSUER: 'http://auth.example/',
    MASTER_KEYS: 'not-a-key',
    TRUSTED_PROXIES: 'everybody',
    ACCESS_TOKEN_SECONDS: '900',
    ACCESS_TOKEN_MAX_SECONDS: '300',
  }
  const said = await refusal({ cwd, env })
  const names = [
    'PORT',
    'DATABASE_URL',
    'ISSUER',
    'MASTER_KEYS',
    'TRUSTED_PROXIES',
    'REDIS_URL',
    'SMTP_URL',
  ]
  for (const name of [...names, 'ACCESS_TOKEN_SECONDS'])
    t.regex(said, new RegExp(`^  ${name} `, 'm'))
  t.is(said.match(/^ {2}\w/gm)?.length, 8, said)
  t.notRegex(said, /hunter2|not-a-key|everybody/)
})

test('an unreachable database → reported within its time limit, without the password', async (t) => {
  const cwd = await emptyFolder(t)
  const env = production('postgres://signet:hunter2@127.0.0.1:1/signet')
  const said = await refusal({ cwd, env })
  t.regex(said, /PostgreSQL does not answer.*DATABASE_URL.*ECONNREFUSED 127\.0\.0\.1:1/)
  t.notRegex(said, /hunter2/)
})

test('a wrong password, a missing database, or no TLS → each is named', async (t) => {
  const cwd = await emptyFolder(t)
  const url = new URL(await copyTemplate(t))
  const missing = Object.assign(new URL(url), { pathname: '/signet_test_nowhere' }).href
  t.regex(
    await refusal({ cwd, env: production(missing) }),
    /database in DATABASE_URL does not exist/,
  )
  const encrypted = `${url.href}?sslmode=verify-full`
  t.regex(await refusal({ cwd, env: production(encrypted) }), /TLS switched off .*sslmode/)
  url.password = 'wrong'
  t.regex(await refusal({ cwd, env: production(url.href) }), /refuses the password in DATABASE_URL/)
})

test('pending migrations → a start applies them, but not in production', async (t) => {
  const cwd = await emptyFolder(t)
  const name = `signet_test_${Date.now()}`
  const server = process.env.TEST_DATABASE_URL ?? ''
  await administer(server, `CREATE DATABASE ${name}`)
  t.teardown(() => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const env = production(databaseUrl(server, name))
  t.regex(await refusal({ cwd, env }), /lacks \d+ migration\(s\)\. Run: signet migrate/)
  t.is((await signet(['migrate'], { cwd, env })).code, 0)
  const serving = await serve(t, { cwd, env })
  t.is((await new HttpClient(serving.url).get('/health/ready')).status, 200)
})

test('a database of a newer release → refused without DATABASE_ALLOW_NEWER', async (t) => {
  const cwd = await emptyFolder(t)
  const url = await copyTemplate(t)
  await administer(
    url,
    `INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('29991231_future', 9, now())`,
  )
  const env = production(url)
  t.regex(await refusal({ cwd, env }), /newer release .*29991231_future.*DATABASE_ALLOW_NEWER=true/)
  const serving = await serve(t, { cwd, env: { ...env, DATABASE_ALLOW_NEWER: 'true' } })
  t.is((await new HttpClient(serving.url).clientCredentials()).status, 200)
})

test('a master key that is missing, foreign, malformed or readable by others → refused with the reason', async (t) => {
  const cwd = await emptyFolder(t)
  const { MASTER_KEYS: _, ...env } = production(await copyTemplate(t))
  t.regex(await refusal({ cwd, env }), /sealed by master key \S+, and there is none in keys\//)
  // Outside production too: making a new one would not open what is sealed.
  const elsewhere = { ...env, NODE_ENV: 'development' }
  t.regex(await refusal({ cwd, env: elsewhere }), /Restore its file/)

  const foreign = `B${'A'.repeat(42)}`
  t.regex(await refusal({ cwd, env: { ...env, MASTER_KEYS: foreign } }), /which is not here/)
  const file = join(cwd, 'keys', 'master.key')
  await mkdir(join(cwd, 'keys'))
  await writeFile(file, 'no key', { mode: 0o600 })
  t.regex(await refusal({ cwd, env }), /keys\/master\.key is not base64url of 32 bytes/)
  await writeFile(file, 'A'.repeat(43))
  t.regex(await refusal({ cwd, env }), /keys\/master\.key is not random/)
  await writeFile(file, masterKeyText)
  await chmod(file, 0o640)
  t.regex(await refusal({ cwd, env }), /chmod 600 keys\/master\.key/)
  await chmod(file, 0o600)
  const serving = await serve(t, { cwd, env })
  t.is((await new HttpClient(serving.url).clientCredentials()).status, 200)
})

test('a database sealed with several master keys → all of them are required', async (t) => {
  const cwd = await emptyFolder(t)
  const url = await copyTemplate(t)
  const successor = '(SELECT max(generation) FROM signing_keys)'
  await administer(
    url,
    `UPDATE signing_keys SET master_key_id = 'lost-key' WHERE generation = ${successor}`,
  )
  const said = await refusal({ cwd, env: production(url) })
  t.regex(said, /sealed by master key lost-key, which is not here/)
})

test('a first start in production → creates no master key', async (t) => {
  const cwd = await emptyFolder(t)
  const url = await copyTemplate(t)
  await administer(url, 'TRUNCATE signing_keys, sealed_secrets')
  const { MASTER_KEYS: _, ...env } = production(url)
  t.regex(await refusal({ cwd, env }), /There is no master key in keys\/.*signet keys new-master/)
})

test('a metrics port in use → another port in development, refused if configured', async (t) => {
  const cwd = await emptyFolder(t)
  const env = { ...production(await copyTemplate(t)), ISSUER: 'http://127.0.0.1' }
  const stranger = createServer().listen(9464, '127.0.0.1')
  // If another program has the port already, that works as well.
  await Promise.race([once(stranger, 'listening'), once(stranger, 'error')])
  t.teardown(() => stranger.close())
  const developer = { ...env, NODE_ENV: 'development', METRICS_PORT: '' }
  const serving = await serve(t, { cwd, env: developer })
  const said = /Port 9464 is in use, so the metrics are on port (\d+)/.exec(serving.stderr())
  t.is((await new HttpClient(`http://127.0.0.1:${said?.[1]}`).get('/metrics')).status, 200)
  for (const METRICS_PORT of ['', '9464']) {
    const text = await refusal({ cwd, env: { ...env, METRICS_PORT } })
    t.regex(text, /127\.0\.0\.1:9464 is in use.*METRICS_PORT/)
  }
})

test('PORT=0 without ISSUER → refused, because tokens would name an unusable URL', async (t) => {
  const cwd = await emptyFolder(t)
  t.regex(await refusal({ cwd }), /ISSUER must name/)
})
