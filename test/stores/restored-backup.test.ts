// Alone: it awaits before it declares its tests.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { production } from '../../tools/fixtures.ts'
import { root } from '../../tools/root.ts'
import { administer, databaseUrl } from '../../tools/template.ts'
import { blocksOf, chapterOf } from '../support/docs/documents.ts'
import { accountApi, addPerson, enter, goodPassword } from '../support/people/account-api.ts'
import { addAdmin, adminApi } from '../support/people/administrator.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { copyTemplate, startServer } from '../support/server/start-server.ts'

const chapter = chapterOf(
  await readFile(join(root, 'docs', 'operations.md'), 'utf8'),
  'The database was restored from a backup',
)

const environment = { ISSUER: 'https://signet.example' }

/** The database as it is now, under another name. Nobody may be connected. */
async function backUp(t: ExecutionContext, url: string): Promise<string> {
  const server = process.env.TEST_DATABASE_URL ?? ''
  const name = `signet_test_${randomUUID().replaceAll('-', '')}`
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${url.split('/').at(-1)}`)
  t.teardown(() => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  return databaseUrl(server, name)
}

test('a restored backup → the commands of the runbook repeat lost revocations', async (t) => {
  const live = await copyTemplate(t)
  const before = await startServer(t, { database: live, environment })
  const admin = await addAdmin(before)
  const ann = await addPerson(before, 'ann')
  await addPerson(before, 'bob')
  const cat = await addPerson(before, 'cat')
  const request = { userId: cat.id, name: 'k', scope: ['account'], audience: [], expiresAt: null }
  const apiKey = (await before.services.apiKeys.create(request as never))?.key.id
  const kid = (await before.get('/.well-known/jwks.json')).body.keys[0].kid as string
  await before.stop()
  const backup = await backUp(t, live)

  // Changes after the backup; the audit trail of the old database has their ids.
  const since = new Date().toISOString()
  const after = await startServer(t, { database: live, environment })
  const api = adminApi(after, admin.token)
  t.is((await api.delete(`users/${ann.id}`)).status, 204)
  const bobId = (await after.db('users').where({ username: 'bob' }).first('id')).id as string
  t.is((await api.patch(`users/${bobId}`, { disabled: true })).status, 200)
  t.is((await api.patch('clients/app', { disabled: true })).status, 200)
  const { delete: remove } = await enter(after, 'cat')
  t.is((await remove(`api-keys/${apiKey}`)).status, 204)
  await after.services.rotation.revoke(kid)
  const [events = '', deletion = ''] = blocksOf(chapter, 'sql')
  const { rows } = await after.db.raw(events.replace('the time of the backup', since))
  const names = rows.map(({ event }: { event: string }) => event)
  const expected = [
    'user.deleted',
    'user.disabled',
    'client.disabled',
    'api_key.revoked',
    'key.revoked',
  ]
  for (const event of expected) t.true(names.includes(event), event)
  await after.stop()

  const restored = await startServer(t, { database: backup, environment })
  const published = async () => JSON.stringify((await restored.get('/.well-known/jwks.json')).body)
  t.true((await published()).includes(kid), 'the backup has all of it')
  await enter(restored, 'bob')
  const cwd = await emptyFolder(t)
  const [commands = ''] = blocksOf(chapter, 'bash')
  const given: Record<string, string> = { kid, person: 'bob', client: 'app' }
  const lines = commands.split('\n').filter((line) => line.startsWith('npx signet '))
  t.is(lines.length, 3)
  for (const line of lines) {
    const words = line.replace(/#.*/, '').trim().split(/ +/).slice(2)
    const args = words.map((word) =>
      word.replace(/^"?\$(\w+)"?$/, (_, name) => given[name.toLowerCase()] ?? ''),
    )
    const { code, stderr } = await signet(args, { cwd, env: production(backup) })
    t.is(code, 0, `${line}: ${stderr}`)
  }
  // The token of the administrator was signed by the key that leaked.
  await restored.services.keyring.reread()
  const login = { username: 'root', password: goodPassword, scope: 'account admin' }
  const { body } = await accountApi(restored).post('login', login)
  t.is((await adminApi(restored, body.access_token).delete(`users/${ann.id}`)).status, 204)
  await restored.db.raw(deletion.replace('the id', apiKey ?? ''))

  t.false((await published()).includes(kid))
  t.is((await restored.clientCredentials()).status, 401)
  for (const name of ['ann', 'bob']) {
    const login = { username: name, password: goodPassword }
    t.not((await accountApi(restored).post('login', login)).status, 200, name)
  }
  t.is(await restored.db('api_keys').where({ id: apiKey }).first(), undefined)
})
