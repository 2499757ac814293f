// Alone: it records every statement of the process.
import test from 'ava'
import pg from 'pg'
import type { BegunBrowserSession } from '../../src/sessions/browser-sessions.ts'
import { app } from '../../tools/fixtures.ts'
import type { Credentials } from '../../tools/http-client.ts'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  signOut,
  startLogoutEndpoint,
  writeCode,
} from '../support/clients/signed-in-apps.ts'
import { addPerson, enter } from '../support/people/account-api.ts'
import { addAdmin } from '../support/people/administrator.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { recordStatements } from '../support/stores/recorded-statements.ts'

const recorded = recordStatements()

const rows = 60_000

/** Tables that grow with the number of people; the statistics are those of real rows. */
const filling = `
  INSERT INTO users (id, username, email, password_hash, password_changed_at, roles, created_at, email_verified_at)
  SELECT gen_random_uuid(), 'person' || i, i || '@people.example', '-', now(), '{}', now(), now()
    FROM generate_series(1, ${rows}) AS i;
  INSERT INTO browser_sessions (id, user_id, created_at, auth_time, amr, acr, remembered, idle_expires_at,
                                expires_at)
  SELECT gen_random_uuid(), id, now(), now(), '{}', '', false, now() + interval '7 days',
         now() + interval '30 days' FROM users;
  INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                browser_session_id, idle_expires_at, expires_at)
  SELECT gen_random_uuid(), user_id, 'other', '{}', '{}', sha256('x'), now(), '{}', id,
         now() + interval '7 days', now() + interval '30 days' FROM browser_sessions;
  INSERT INTO consents (user_id, client_id, scopes, granted_at)
  SELECT id, 'other', '{}', now() FROM users;
  INSERT INTO logout_deliveries (id, client_id, sid, subject, created_at, next_attempt_at, delivered_at)
  SELECT gen_random_uuid(), client_id, sid, user_id, now(), now(), now() FROM refresh_families;
  INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
  SELECT now() - interval '30 days', 'user.signed_in', user_id, client_id, sid, '192.0.2.1' FROM refresh_families;
  INSERT INTO revocations (kind, value, revoked_at, expires_at)
  SELECT 'sid', sid, now(), now() + interval '1 hour' FROM refresh_families;
  ANALYZE`

/** People who sign in and out in browsers, and the web app that they use. */
async function useBrowsers(server: TestServer, uri: string): Promise<void> {
  const { services } = server
  const web = await addWebApp(server, 'web', { backchannelLogoutUri: uri, firstParty: false })
  const { id } = await addPerson(server, 'edith')
  const browser = await signInBrowser(server, 'edith')
  const signedIn = await services.browsers.find(browser.cookie)
  if (!signedIn) throw new Error('edith is not signed in')
  const { idToken, refreshToken } = await enterWebApp(server, web, browser)
  const client = await services.clients.get(web.id)
  await services.consents.allow({ userId: id, client, scopes: ['read'], ip: '192.0.2.1' })
  await services.consents.find(id, client)
  await services.consents.list(id)
  await services.browsers.list(id)
  await services.browsers.reauthenticate(signedIn, {
    user: { id, passwordChangedAt: signedIn.passwordChangedAt },
    authTime: server.clock.now(),
    amr: ['pwd'],
    acr: '',
    requestId: undefined,
    remembered: false,
    ip: '192.0.2.1',
  })
  await server.refresh(refreshToken, {}, web)
  await inBatches(server, web, browser)
  await services.consents.withdraw(id, web.id, '192.0.2.1')
  await enterWebApp(server, web, browser)
  await services.userSessions.endOthers(id, browser.session.id, '192.0.2.1')
  await server.request(`/oauth/sign-out?id_token_hint=${idToken}`)
  const another = await signInBrowser(server, 'edith')
  await enterWebApp(server, web, another)
  await signOut(server, another)
  await services.logoutSender.run()
  await services.logoutDeliveries.backlog()
  await services.logoutDeliveries.givenUpSince(server.clock.now())
}

/** One of three that come at once is alone, and the others share a statement. */
async function inBatches(server: TestServer, web: Credentials, browser: BegunBrowserSession) {
  const { codes } = server.services
  const written = await Promise.all([1, 2, 3].map(() => writeCode(server, web.id, browser)))
  const begun = await Promise.all(written.map(({ presented }) => codes.redeem(presented)))
  const tokens = begun.map((one) => ('refreshToken' in one && one.refreshToken) || '')
  await Promise.all(tokens.map((token) => server.refresh(token, {}, web)))
}

/** The requests of people, apps and administrators. */
async function useEverything(server: TestServer): Promise<void> {
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const { body } = await server.signIn()
  const again = await server.refresh(body.refresh_token)
  await server.refresh(body.refresh_token)
  await server.introspect(again.body.access_token)
  await server.introspect(again.body.refresh_token)
  await server.clientCredentials()
  await server.request('/.well-known/revocations')
  for (const path of ['me', 'sessions', 'api-keys', 'me/export']) await grace.get(path)
  await grace.patch('me', { full_name: 'Grace Hopper' })
  await grace.post('password/reset/request', { email: 'nobody@people.example' })
  await grace.post('logout/all')
  const lists = [
    'role=admin',
    'state=disabled',
    'state=unverified',
    'state=active',
    'text=person4711',
    'text=x@y',
  ]
  for (const query of ['limit=5', ...lists, `after=${id}`]) await admin.get(`users?${query}`)
  await admin.get('users/stats')
  const now = new Date().toISOString()
  const events = [
    'event=user.created',
    `client_id=${app.id}`,
    `client_id=${app.id}&event=user.created`,
  ]
  const about = [
    `user_id=${id}`,
    `sid=${id}`,
    `from=${now}`,
    `until=${now}`,
    'event=none&client_id=none',
  ]
  for (const query of ['limit=5', ...events, ...about]) await admin.get(`audit?${query}`)
  await admin.patch(`users/${id}`, { roles: ['admin'] })
  await admin.patch(`users/${id}`, { roles: [], end_sessions: true })
  await admin.patch(`users/${id}`, { disabled: true })
  await admin.get('clients')
  await admin.patch(`clients/${app.id}`, { disabled: true })
  await admin.delete(`users/${id}`)
  await admin.delete(`clients/${app.id}`)
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
}

test('every statement → no sequential scan of a large table', async (t) => {
  const server = await startServer(t, { redis: false, unthrottled: true })
  const own = new pg.Client({ connectionString: server.databaseUrl })
  await own.connect()
  t.teardown(() => own.end())
  await own.query(filling)
  const { uri } = await startLogoutEndpoint(t)
  recorded.length = 0
  await useBrowsers(server, uri)
  await useEverything(server)
  const byText = new Map(recorded.map((one) => [one.text, one]))
  const statements = [...byText.values()].filter(({ text }) =>
    /^\s*(select|with|update|delete|insert)\b/i.test(text),
  )
  t.true(statements.length > 60, `${statements.length} statements`)
  const batches = statements.filter(({ text }) => text.includes('SKIP LOCKED'))
  for (const table of ['authorization_codes', 'UPDATE refresh_families']) {
    t.true(
      batches.some(({ text }) => text.includes(table)),
      `a batch of ${table}`,
    )
  }
  const scans: string[] = []
  for (const { text, values } of statements) {
    const plan = await own.query({ text: `EXPLAIN ${text}`, values: [...values] })
    const lines = plan.rows.map((row) => row['QUERY PLAN']).join('\n')
    if (
      /Seq Scan on (users|refresh_families|browser_sessions|consents|logout_deliveries|audit_events|revocations)\b/.test(
        lines,
      )
    ) {
      scans.push(`${text}\n${lines}`)
    }
  }
  t.deepEqual(scans, [])
})
