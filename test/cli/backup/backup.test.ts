import { randomUUID } from 'node:crypto'
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { masterKeyText, testEnvironment } from '../../../tools/fixtures.ts'
import { administer, databaseUrl } from '../../../tools/template.ts'
import { registerPublic } from '../../support/clients/clients.ts'
import { accountApi, addPerson, enter, goodPassword } from '../../support/people/account-api.ts'
import { disable, named, setPassword } from '../../support/people/administer-people.ts'
import { emptyFolder, signet } from '../../support/server/signet.ts'
import { Clock, startServer, type TestServer } from '../../support/server/start-server.ts'

/** Events of the last minute are not settled; these are ten minutes old. */
function earlier(): Clock {
  const clock = new Clock()
  clock.advance({ minutes: -10 })
  return clock
}

/** A copy of a database as it is now, which no server uses meanwhile. */
async function backUp(t: ExecutionContext<unknown>, of: TestServer): Promise<string> {
  const name = `signet_test_${randomUUID().replaceAll('-', '')}`
  const { pathname, href } = new URL(of.databaseUrl)
  await of.stop()
  await administer(
    href.replace(pathname, '/postgres'),
    `CREATE DATABASE ${name} TEMPLATE ${pathname.slice(1)}`,
  )
  t.teardown(() =>
    administer(href.replace(pathname, '/postgres'), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  )
  return databaseUrl(of.databaseUrl, name)
}

async function scene(t: ExecutionContext<unknown>) {
  const cwd = await emptyFolder(t)
  const first = await startServer(t, { clock: earlier() })
  for (const name of ['grace', 'joan', 'mary', 'rosa', 'ida']) await addPerson(first, name)
  await registerPublic(first, 'mobile', {})
  await registerPublic(first, 'kiosk', {})
  const grace = await enter(first, 'grace')
  const key = { name: 'ci', scope: 'account', password: goodPassword }
  const { body: apiKey } = await grace.post('api-keys', key)
  // Before the backup: it is in the journal, and must not be repeated.
  await setPassword(first, 'ida', goodPassword)
  const { body } = await first.signIn({ username: 'ida', password: goodPassword })
  const refreshToken = body.refresh_token
  const backup = await backUp(t, first)
  const server = await startServer(t, { clock: earlier(), database: first.databaseUrl })
  const journal = join(cwd, 'journal.jsonl')
  const at = (url: string, more: Record<string, string> = {}) => ({
    cwd,
    env: { ...testEnvironment, DATABASE_URL: url, MASTER_KEYS: masterKeyText, ...more },
  })
  return { server, backup, journal, apiKey, refreshToken, at }
}

test('what was ended after a backup is ended again in the restored database, from the journal', async (t) => {
  const { server, backup, journal, apiKey, refreshToken, at } = await scene(t)
  const { services } = server
  const leaked = (await services.signingKeys.all()).find((key) => key.signsUntil === null)
  await services.rotation.revoke(leaked?.kid ?? '')
  await services.administration.delete((await named(server, 'rosa')).id)
  await disable(server, 'joan')
  await setPassword(server, 'mary', 'a new one, which is long')
  const owner = await named(server, 'grace')
  await services.administration.change(owner.id, { roles: ['editor'] })
  t.true(await services.apiKeys.revoke(owner.id, apiKey.id))
  await services.clients.disable('mobile')
  await services.clients.delete('kiosk')
  await services.clients.rotateSecret('app', 0)
  await services.userSessions.endAll((await named(server, 'ida')).id, '192.0.2.1')
  // Somebody who came after the backup, and has gone.
  const { id: late } = await addPerson(server, 'late')
  await services.administration.delete(late)

  const written = await signet(['backup', 'journal', journal], at(server.databaseUrl))
  t.is(written.code, 0, written.stderr)
  t.is((await stat(journal)).mode & 0o777, 0o600)
  const text = await readFile(journal, 'utf8')
  t.notRegex(text, /people\.example|192\.0\.2\.1|"grace"/)
  const again = await signet(['backup', 'journal', journal, '--json'], at(server.databaseUrl))
  t.deepEqual(again.json(), { appended: 0 })

  const counted = await signet(['backup', 'replay', journal, '--json'], at(backup))
  t.is(counted.code, 0, counted.stderr)
  t.like(counted.json(), { dry_run: true, repeated: { 'key.revoked': 1, 'user.deleted': 2 } })
  const untouched = await startServer(t, { database: backup })
  t.truthy(await untouched.services.users.findAny('rosa'), 'without --yes nothing changes')
  t.is((await untouched.refresh(refreshToken)).status, 200)
  await untouched.stop()

  const replayed = await signet(['backup', 'replay', journal, '--yes', '--json'], at(backup))
  t.is(replayed.code, 0, replayed.stderr)
  t.deepEqual(replayed.json().repeated, {
    'api_key.revoked': 1,
    'client.deleted': 1,
    'client.disabled': 1,
    'key.revoked': 1,
    'user.deleted': 1,
    'user.disabled': 1,
    'user.password_set': 1,
    'user.roles_changed': 1,
    'user.sessions_ended': 1,
  })
  t.is(replayed.json().without_effect, 1)
  t.deepEqual(replayed.json().by_hand, {
    'client.secret_rotated': ['app'],
    'user.password_set': [(await named(server, 'mary')).id],
  })

  const restored = await startServer(t, { database: backup })
  const kept = restored.services
  t.truthy((await kept.signingKeys.all()).find(({ kid }) => kid === leaked?.kid)?.revokedAt)
  t.is(await kept.users.findAny('rosa'), undefined)
  t.deepEqual((await named(restored, 'grace')).roles, ['editor'])
  t.deepEqual(await restored.db('api_keys').select('id'), [])
  t.deepEqual(await restored.db('clients').where({ id: 'kiosk' }), [])
  t.truthy((await restored.db('clients').where({ id: 'mobile' }).first()).disabled_at)
  t.is((await restored.refresh(refreshToken)).status, 400)
  for (const username of ['joan', 'mary']) {
    const login = { username, password: goodPassword }
    t.is((await accountApi(restored).post('login', login)).status, 401, username)
  }
  await enter(restored, 'ida')
  await restored.stop()

  const repeated = await signet(['backup', 'replay', journal, '--yes', '--json'], at(backup))
  t.is(repeated.code, 0, repeated.stderr)
  t.falsy(repeated.json().repeated['key.revoked'], 'a second time has no effect')
  t.falsy(repeated.json().repeated['user.deleted'])

  const refused = await signet(['backup', 'journal', journal], at(await emptied(t, backup)))
  t.is(refused.code, 1)
  t.regex(refused.stderr, /has events that the database lacks: it was restored from a backup/)
})

/** The same database as if its backup were older. */
async function emptied(t: ExecutionContext<unknown>, url: string): Promise<string> {
  const server = await startServer(t, { database: url })
  await server.db('audit_events').delete()
  await server.stop()
  return url
}

test('a journal is interrupted in a line → the next run removes it and continues', async (t) => {
  const { server, journal, at } = await scene(t)
  await disable(server, 'joan')
  await signet(['backup', 'journal', journal], at(server.databaseUrl))
  const whole = await readFile(journal, 'utf8')
  await appendFile(journal, '{"id":"99')
  await disable(server, 'mary')
  const next = await signet(['backup', 'journal', journal, '--json'], at(server.databaseUrl))
  t.deepEqual(next.json(), { appended: 1 })
  const text = await readFile(journal, 'utf8')
  t.true(text.startsWith(whole))
  t.is(text.trimEnd().split('\n').length, whole.trimEnd().split('\n').length + 1)
})

test('an event of the last minute → not in the journal yet', async (t) => {
  const { server, journal, at } = await scene(t)
  server.clock.advance({ minutes: 10 })
  await disable(server, 'joan')
  const run = await signet(['backup', 'journal', journal, '--json'], at(server.databaseUrl))
  t.deepEqual(run.json(), { appended: 1 }, 'the one of ten minutes before')
})

test('a file that is no journal → an error that names it, and no change', async (t) => {
  const { server, journal, at } = await scene(t)
  const run = (...args: string[]) => signet(['backup', ...args], at(server.databaseUrl))
  const before = await server.db('audit_events')
  await writeFile(journal, 'id,event\n1,user.deleted\n')
  t.regex((await run('journal', journal)).stderr, /The last line of .*journal\.jsonl is not one of/)
  t.regex((await run('replay', journal, '--yes')).stderr, /Line 1 of the journal is not one/)
  const odd = { id: '7', at: new Date().toISOString(), event: 'user.deleted', name: 'extra' }
  await writeFile(journal, `${JSON.stringify(odd)}\n`)
  t.regex((await run('replay', journal, '--yes')).stderr, /Line 1 of the journal is not one/)
  t.regex((await run('replay', `${journal}.away`)).stderr, /cannot be read: ENOENT/)
  t.regex((await run('journal', '/dev/null')).stderr, /is not a file/)
  t.deepEqual(await server.db('audit_events'), before)
})

test('a restored database → verified: its schema, its secrets, its age', async (t) => {
  const { backup, at } = await scene(t)
  const verified = await signet(['backup', 'verify'], at(backup))
  t.is(verified.code, 0, verified.stderr)
  t.regex(verified.stdout, /ok +schema +of this release/)
  t.regex(verified.stdout, /ok +master keys +open all [1-9]\d* secrets/)
  t.regex(verified.stdout, /ok +contents +6 people, \d+ clients, [1-9]\d* sessions that live/)
  t.regex(verified.stdout, /warning +age +nothing that happened after \d{4}-/)
  const other = { MASTER_KEYS: Buffer.alloc(32, randomUUID()).toString('base64url') }
  const wrong = await signet(['backup', 'verify'], at(backup, other))
  t.is(wrong.code, 1)
  t.regex(wrong.stdout, /failed +master keys[\s\S]*sealed by master key/)
  const server = await startServer(t, { database: backup })
  await server.db('knex_migrations').insert({ name: '29990101000000_later', batch: 2 })
  const newer = await signet(['backup', 'verify'], at(backup))
  t.is(newer.code, 1)
  t.regex(newer.stdout, /failed +schema +of a newer release .*29990101000000_later/)
  await server.db.raw('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  const empty = await signet(['backup', 'verify'], at(backup))
  t.regex(empty.stdout, /failed +schema +has no tables of Signet/)
})
