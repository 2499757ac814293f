import { randomBytes } from 'node:crypto'
import test from 'ava'
import type { Knex } from 'knex'
import { MasterKeys, masterKeysFrom } from '../../src/keyring/master-keys.ts'
import { masterKeysInUse, rewrap, unseal } from '../../src/keyring/sealing.ts'
import { ada, app, masterKeyText } from '../../tools/fixtures.ts'
import { startServer } from '../support/server/start-server.ts'
import { currentSigner, freshToken, publishedKids, tend } from './tend.ts'

const anotherKey = () => randomBytes(32).toString('base64url')

test('a sealed secret does not open with another master key, and the error names the right one', async (t) => {
  const server = await startServer(t)
  const [id = ''] = await masterKeysInUse(server.db)
  const masterKeys = masterKeysFrom([anotherKey()])
  const refusal = await t.throwsAsync(startServer(t, { beside: server, masterKeys }), {
    name: 'MasterKeyError',
  })
  t.true(refusal?.message.includes(`sealed by master key ${id}, which is not here`))
  // Not even if the other key has the id of the right one.
  const { newest } = masterKeys
  const impostor = new MasterKeys([{ ...newest, id }])
  const row = await server.db('signing_keys').first()
  await t.throwsAsync(unseal(impostor, row.kid, row.private_jwe), { message: /it was changed/ })
})

test('one changed character anywhere in a sealed key is detected, with a clear error', async (t) => {
  const server = await startServer(t)
  const { kid, private_jwe: sealed } = await server.db('signing_keys').first()
  const places = Array.from({ length: 60 }, (_, i) => Math.floor((i * (sealed.length - 1)) / 60))
  for (const at of places) {
    const other = sealed[at] === 'A' ? 'Q' : 'A'
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
    const error = await t.throwsAsync(unseal(server.masterKeys, kid, changed), {
      name: 'MasterKeyError',
    })
    t.regex(error?.message ?? '', /it was changed|which is not here/, `${at}: ${error?.message}`)
  }
  for (const rubbish of ['', 'rubbish', 'e30.....', '....', sealed.slice(0, -4)]) {
    const error = {
      name: 'MasterKeyError',
      message: new RegExp(`The secret ${kid} .* was changed`),
    }
    await t.throwsAsync(unseal(server.masterKeys, kid, rubbish), error, rubbish)
  }
})

test('a changed key does not stop an instance that has opened it; a new instance refuses to start', async (t) => {
  const server = await startServer(t, { environment: { KEYRING_REREAD_SECONDS: '60' } })
  const kid = await currentSigner(server)
  const { private_jwe: sealed } = await server.db('signing_keys').where({ kid }).first()
  const changed = sealed.replace(
    /.(.{30})$/,
    (last: string) => (last[0] === 'A' ? 'B' : 'A') + last.slice(1),
  )
  await server.db('signing_keys').where({ kid }).update({ private_jwe: changed })
  await tend(server)
  t.is(await currentSigner(server), kid)
  const error = { name: 'MasterKeyError', message: new RegExp(`The secret ${kid} .* was changed`) }
  await t.throwsAsync(startServer(t, { beside: server }), error)
})

test('a sealed key that was moved to another row does not open', async (t) => {
  const server = await startServer(t)
  const [one, other] = await server.db('signing_keys').orderBy('generation')
  await server.db('signing_keys').where({ kid: one.kid }).update({ private_jwe: other.private_jwe })
  const error = { message: new RegExp(`The secret ${one.kid} .* was changed`) }
  await t.throwsAsync(startServer(t, { beside: server }), error)
})

test('a successor sealed by a newer master key is published by an instance that cannot open it', async (t) => {
  const server = await startServer(t, { environment: { KEYRING_REREAD_SECONDS: '60' } })
  const masterKeys = masterKeysFrom([anotherKey(), masterKeyText])
  const ahead = await startServer(t, { beside: server, masterKeys })
  const before = await currentSigner(server)
  await ahead.services.rotation.revoke((await publishedKids(ahead))[1] ?? '')
  await tend(ahead)
  await t.throwsAsync(tend(server), { message: /sealed by master key .*, which is not here/ })
  t.deepEqual(await publishedKids(server), await publishedKids(ahead))
  t.is(await currentSigner(server), before)
})

test('after a rewrap the old master key is not needed, and no session ends', async (t) => {
  const server = await startServer(t)
  const session = (await server.signIn()).body
  const other = (await server.signIn()).body
  const token = await freshToken(server)
  const newKey = anotherKey()
  const both = masterKeysFrom([newKey, masterKeyText])
  t.deepEqual(await masterKeysInUse(server.db), [server.masterKeys.newest.id])

  t.is(await rewrap(server.db, both), 7, 'two signing keys, five secrets that instances share')
  t.deepEqual(await masterKeysInUse(server.db), [both.newest.id])
  t.is(await rewrap(server.db, both), 0, 'again: nothing is left to move')
  t.is((await server.refresh(session.refresh_token)).status, 200, 'who runs goes on')

  const masterKeys = masterKeysFrom([newKey])
  const after = await startServer(t, { beside: server, masterKeys })
  await server.stop()
  const refreshed = await after.refresh(other.refresh_token)
  t.is(refreshed.status, 200, refreshed.text)
  t.true((await after.introspect(refreshed.body.access_token)).body.active)
  t.true((await after.introspect(token)).body.active)
  t.is(await currentSigner(after), (await publishedKids(after))[0] as string)
  await t.throwsAsync(startServer(t, { beside: after, masterKeys: server.masterKeys }), {
    message: new RegExp(`sealed by master key ${both.newest.id}, which is not here`),
  })
})

test('the newest of several master keys seals, whichever sealed before', async (t) => {
  const server = await startServer(t)
  const both = masterKeysFrom([anotherKey(), masterKeyText])
  const next = await startServer(t, { beside: server, masterKeys: both })
  next.clock.advance({ days: 31 })
  await tend(next)
  const ids = await next.db('signing_keys').orderBy('generation').pluck('master_key_id')
  const old = server.masterKeys.newest.id
  t.deepEqual(ids, [old, old, both.newest.id])
})

/** Every row of every table as text, in the forms that bytes take in dumps. */
async function dump(db: Knex): Promise<string> {
  const tables: string[] = await db('pg_tables').where({ schemaname: 'public' }).pluck('tablename')
  const rows = await Promise.all(
    tables.map(async (table) => {
      const { rows } = await db.raw('SELECT row_to_json(x)::text AS line FROM ?? AS x', [table])
      return rows.map(({ line }: { line: string }) => line).join('\n')
    }),
  )
  return rows.join('\n')
}

const spellings = (bytes: Buffer): string[] => [
  bytes.toString('hex'),
  bytes.toString('base64'),
  bytes.toString('base64url'),
  bytes.toString('latin1'),
]

test('ASVS 13.3.1: a dump of the database holds no private key and nothing to make a refresh token from', async (t) => {
  const server = await startServer(t)
  const session = (await server.signIn()).body
  await server.refresh(session.refresh_token)
  const text = await dump(server.db)
  const { services, masterKeys, db } = server
  const secrets: Record<string, string[]> = {
    pem: ['PRIVATE KEY'],
    'master key': spellings(masterKeys.newest.secret),
    'the password': [ada.password],
    'the client secret': [app.secret, ...spellings(Buffer.from(app.secret))],
  }
  for (const key of await services.signingKeys.all()) {
    t.true(text.includes(key.kid))
    const jwk = (await services.signingKeys.privateKey(key))?.export({ format: 'jwk' })
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
      const bytes = Buffer.from(jwk?.[member] ?? '', 'base64url')
      t.true(bytes.length > 100)
      secrets[`${member} of ${key.kid}`] = spellings(bytes)
    }
  }
  const { secret_jwe: sealed } = await db('sealed_secrets')
    .where({ name: 'refresh tokens' })
    .first()
  secrets['the secret of the refresh tokens'] = spellings(
    Buffer.from(await unseal(masterKeys, 'refresh tokens', sealed)),
  )
  // srt_ + base64url(sid 16, generation 4, seed 16, MAC 32): the first two are public.
  const token = Buffer.from(session.refresh_token.slice(4), 'base64url')
  t.is(token.length, 68)
  secrets['the token'] = [session.refresh_token, ...spellings(token)]
  secrets['the seed'] = spellings(token.subarray(20, 36))
  secrets['the MAC'] = spellings(token.subarray(36))
  const sid = token.toString('hex', 0, 4)
  t.true(text.includes(sid), 'the dump is one: the session is in it')
  for (const [what, forms] of Object.entries(secrets)) {
    for (const form of forms) t.false(text.includes(form), what)
  }
})
