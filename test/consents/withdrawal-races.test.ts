import test from 'ava'
import { signIn, startWebApp } from '../support/clients/web-app.ts'

const rounds = 12

test('a code is redeemed while the consent is withdrawn → no session and no token survives', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  // The first round opens the connections.
  const { id: userId } = await server.db('users').where({ username: 'ada' }).first('id')
  let redeemed = 0
  for (let round = 0; round < rounds; round += 1) {
    const { code = '' } = await signIn(browser, app)
    const withdraw = () => server.services.consents.withdraw(userId, app.id, '127.0.0.1')
    // Either may be first: the order of the calls changes with each round.
    const [answer] =
      round % 2 === 0
        ? await Promise.all([app.redeem(code), withdraw()])
        : await Promise.all([withdraw(), app.redeem(code)]).then(([done, one]) => [one, done])
    const { status, body } = answer as Awaited<ReturnType<typeof app.redeem>>
    const live = await server
      .db('refresh_families')
      .where({ client_id: app.id, user_id: userId, revoked_at: null })
    t.is(live.length, 0, `round ${round}`)
    t.is((await server.db('consents').where({ client_id: app.id })).length, 0)
    t.is((await server.db('authorization_codes').where({ client_id: app.id })).length, 0)
    if (status !== 200) {
      t.like({ status, body }, { status: 400, body: { error: 'invalid_grant' } })
      continue
    }
    redeemed += 1
    const { access_token: token } = body
    t.is((await app.post('/oauth/introspect', { token })).body.active, false)
  }
  t.log(`${redeemed} of ${rounds} codes were redeemed first`)
})

test('a consent is withdrawn by many at once → one of them has withdrawn it, one event', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const { id: userId } = await server.db('users').where({ username: 'ada' }).first('id')
  for (let round = 0; round < 3; round += 1) {
    const { code = '' } = await signIn(browser, app)
    t.is((await app.redeem(code)).status, 200)
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () =>
        server.services.consents.withdraw(userId, app.id, '127.0.0.1'),
      ),
    )
    t.is(outcomes.filter(Boolean).length, 1)
    const events = await server.db('audit_events').where({ event: 'consent.withdrawn' })
    t.is(events.length, round + 1)
  }
})

test('a code was written although the consent was withdrawn at that moment → it begins no session', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const { code = '' } = await signIn(browser, app)
  // A page that had read the consent writes its code after the codes of the client were deleted.
  await server.db('consents').delete()
  t.like(await app.redeem(code), { status: 400, body: { error: 'invalid_grant' } })
  t.is((await server.db('refresh_families').where({ client_id: app.id })).length, 0)
})
