// Alone: it records every statement of the process.
import test from 'ava'
import { decodeJwt } from 'jose'
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { inShardOf, newPersonId, shardOf } from '../../src/shard.ts'
import { ada } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { exchange } from '../support/clients/key-exchange.ts'
import { finish, startWebApp } from '../support/clients/web-app.ts'
import { enter } from '../support/people/account-api.ts'
import { type RecordedStatement, recordStatements } from '../support/stores/recorded-statements.ts'

const recorded = recordStatements()
const scope = 'openid read offline_access'

test('RFC 9562 §5.7: ids of people → UUIDs of version 7 in all of 4096 shards', (t) => {
  const ids = Array.from({ length: 20_000 }, () => newPersonId())
  t.true(
    ids.every((id) => /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id)),
  )
  t.is(new Set(ids).size, ids.length)
  const shards = new Set(ids.map(shardOf))
  t.true(shards.size > 3800, `${shards.size} shards`)
  t.true(Math.max(...shards) > 4000 && Math.max(...shards) < 4096)
  const early = newPersonId(new Date('2020-01-01'))
  t.true(early < newPersonId(new Date('2020-01-02')), 'in the order of their creation')
})

test('an id in the shard of another → the same time, and the same id each time', (t) => {
  const [owner, id] = [uuidv4(), uuidv7()]
  const moved = inShardOf(owner, id)
  t.is(shardOf(moved), shardOf(owner))
  t.is(moved.slice(0, 15), id.slice(0, 15))
  t.is(moved.slice(18), id.slice(18))
  t.is(inShardOf(owner, id), moved)
})

/** The tables of which a row belongs to a person. */
const ofPeople =
  /\b(users|refresh_families|authorization_codes|browser_sessions|api_keys|consents|audit_events)\b/

/** By a name, and by the secret of an API key, a person is found before the shard is known. */
const lookUp = /\b(?:username_key|email_key|digest)"? (?:=|IN)/i

const uuids = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g

const names = ({ values }: RecordedStatement, id: string) =>
  (JSON.stringify(values).match(uuids) ?? []).some((found) => shardOf(found) === shardOf(id))

test('signing in, refreshing, an API key and signing out → each statement about a person, after the look-up, names the shard', async (t) => {
  const { server, app, browser } = await startWebApp(t, {
    redis: false,
    unthrottled: true,
    settings: { firstParty: true, consent: 'remember' },
  })
  const { id = '' } = (await server.services.users.findAny(ada.username)) ?? {}
  const account = await enter(server, ada.username, ada.password)
  const wish = { name: 'ci', scope: 'account', password: ada.password }
  const { body: key } = await account.post('api-keys', wish)
  const service = await register(server, 'service', exchange.client(server))
  await server.services.janitor.run()

  const sids: string[] = []
  const read = ({ body }: { body: Record<string, string> }) => {
    sids.push(String(decodeJwt(body.access_token ?? '').sid))
    return body
  }
  recorded.length = 0
  const signedIn = read(await server.signIn())
  const refreshed = read(await server.refresh(signedIn.refresh_token ?? ''))
  await server.introspect(refreshed.access_token ?? '')
  const page = await browser.open(app.authorizeUrl({ scope }))
  const consent = await browser.submit(page, ada)
  await finish(browser, consent)
  const codes = await Promise.all(
    [1, 2, 3].map(async () => {
      const { location } = await browser.open(app.authorizeUrl({ prompt: 'none', scope }))
      return new URL(location).searchParams.get('code') ?? ''
    }),
  )
  const bodies = (await Promise.all(codes.map((code) => app.redeem(code)))).map(read)
  const again = await Promise.all(
    bodies.map(({ refresh_token = '' }) =>
      app.post('/oauth/token', { grant_type: 'refresh_token', refresh_token }),
    ),
  )
  again.map(read)
  await app.userinfo(again[0]?.body.access_token)
  await server.revoke(refreshed.refresh_token ?? '')
  read(await exchange.of(server, key.key, service))
  await browser.submit(await browser.open('/oauth/sign-out'))
  const statements = recorded.filter(({ text }) => ofPeople.test(text) && !lookUp.test(text))

  t.deepEqual([...new Set(sids.map(shardOf))], [shardOf(id)])
  t.true(statements.length > 20, `${statements.length} statements`)
  t.true(
    statements.some(({ text }) => text.includes('SKIP LOCKED')),
    'rotations in a batch',
  )
  const silent = statements.filter((one) => !names(one, id)).map(({ text }) => text)
  t.deepEqual([...new Set(silent)], [])
})
