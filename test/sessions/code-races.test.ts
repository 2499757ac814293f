import test, { type ExecutionContext } from 'ava'
import { answerOf, signIn, startWebApp } from '../support/clients/web-app.ts'

const rounds = 6

/** A signed-in browser that gets codes without a page. */
async function signedIn(t: ExecutionContext) {
  const started = await startWebApp(t, { unthrottled: true })
  const { app, browser } = started
  const { code = '' } = await signIn(browser, app)
  await app.redeem(code)
  await started.server.db('refresh_families').delete()
  const newCode = async (): Promise<string> =>
    answerOf(await browser.open(app.authorizeUrl())).code ?? ''
  return { ...started, newCode }
}

test('RFC 6749 §4.1.2: a code redeemed by 20 at once → one gets tokens, and they are ended', async (t) => {
  const { app, server, newCode } = await signedIn(t)
  for (let round = 0; round < rounds; round++) {
    const code = await newCode()
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.redeem(code)))
    const winners = answers.filter(({ status }) => status === 200)
    t.is(winners.length, 1)
    for (const { status, body } of answers.filter((one) => !winners.includes(one))) {
      t.is(status, 400)
      t.is(body.error, 'invalid_grant')
    }
    const token = winners[0]?.body.access_token
    t.is((await app.userinfo(token)).status, 401)
    const { body } = await app.post('/oauth/introspect', { token })
    t.is(body.active, false)
  }
  const reasons = await server
    .db('refresh_families')
    .distinct('revoked_reason')
    .pluck('revoked_reason')
  t.deepEqual(reasons, ['code_reused'])
})

test('a code redeemed while the person signs out → no session is left', async (t) => {
  const { app, server, browser } = await signedIn(t)
  for (let round = 0; round < rounds; round++) {
    const { code = '' } = await signIn(browser, app)
    const { id } = await server.db('browser_sessions').whereNull('revoked_at').first()
    const end = server.services.revocations.decide((change) =>
      server.services.families.endBrowsers(change, { id }, 'signed_out'),
    )
    const [redeemed] = await Promise.all([app.redeem(code), end])
    t.true([200, 400].includes(redeemed.status))
    t.is((await server.db('refresh_families').whereNull('revoked_at')).length, 0)
    t.is((await server.db('authorization_codes')).length, 0)
  }
})

test('a code redeemed while the consent is withdrawn → no session is left', async (t) => {
  const { app, server, browser, newCode } = await signedIn(t)
  const { id } = await server.db('users').where({ username: 'ada' }).first()
  for (let round = 0; round < rounds; round++) {
    const code = await newCode()
    const end = server.services.consents.withdraw(id, app.id, '192.0.2.1')
    const [redeemed] = await Promise.all([app.redeem(code), end])
    t.true([200, 400].includes(redeemed.status))
    t.is((await server.db('refresh_families').whereNull('revoked_at')).length, 0)
    t.is((await server.db('authorization_codes')).length, 0)
    t.is(
      answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).error,
      'consent_required',
    )
    await signIn(browser, app)
    await server.db('authorization_codes').delete()
  }
})

test('a code redeemed while the person is disabled → no session is left', async (t) => {
  const { app, server, newCode } = await signedIn(t)
  const { id } = await server.db('users').where({ username: 'ada' }).first()
  const code = await newCode()
  const disable = server.services.administration.change(id, { disabled: true })
  const [redeemed] = await Promise.all([app.redeem(code), disable])
  t.true([200, 400].includes(redeemed.status))
  t.is((await server.db('refresh_families').whereNull('revoked_at')).length, 0)
})

test('a sign-out while the session is refreshed → no token works afterwards', async (t) => {
  const { app, server, browser } = await signedIn(t)
  for (let round = 0; round < rounds; round++) {
    const { code = '' } = await signIn(browser, app, { scope: 'openid offline_access' })
    // A session of a first-party client ends with the browser.
    const { body } = await app.redeem(code)
    await server.db('refresh_families').update({ outlives_browser: false })
    const { id } = await server.db('browser_sessions').whereNull('revoked_at').first()
    const grant = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
    const [refreshed] = await Promise.all([
      app.post('/oauth/token', grant),
      server.services.revocations.decide((change) =>
        server.services.families.endBrowsers(change, { id }, 'signed_out'),
      ),
    ])
    for (const token of [body.access_token, refreshed.body.access_token]) {
      if (token) t.is((await app.userinfo(token)).status, 401)
    }
    t.is((await app.post('/oauth/token', grant)).status, 400)
  }
})

test('a password that an instance of the release before sets → the code of before begins no session', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  const { code = '' } = await signIn(browser, app)
  // That release knows no browser sessions, so it ends none.
  await server
    .db('users')
    .update({ password_changed_at: new Date(server.clock.now().getTime() + 1) })
  t.is((await app.redeem(code)).status, 400)
  t.is((await server.db('refresh_families')).length, 0)
})
