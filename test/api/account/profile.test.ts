import test from 'ava'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { startServer } from '../../support/server/start-server.ts'

test('a profile change → names only', async (t) => {
  const server = await startServer(t)
  const { id } = await addPerson(server, 'grace', { fullName: 'Grace Hopper' })
  const grace = await enter(server, 'grace')
  const changed = await grace.patch('me', {
    ...{ username: ' ｇ.hopper ', full_name: null, password: goodPassword },
  })
  t.is(changed.status, 200, changed.text)
  t.like(changed.body, { id, username: 'g.hopper', full_name: null })
  t.deepEqual((await grace.get('me')).body, changed.body)
  await enter(server, 'g.hopper')

  const wishes = { id, roles: ['admin'], email: 'x@people.example', email_verified: true }
  const refused = await grace.patch('me', { ...wishes, username: 'a b', full_name: 'a\tb' })
  t.is(refused.status, 422)
  const all = ['/email', '/email_verified', '/full_name', '/id', '/roles', '/username']
  t.deepEqual(pointers(refused), all)
  t.deepEqual((await grace.get('me')).body, changed.body)
})

test('a taken username → refused in every spelling, also in a race', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  const [grace, joan] = [await enter(server, 'grace'), await enter(server, 'joan')]
  for (const username of ['joan', 'JOAN', 'ｊｏａｎ']) {
    const answer = await grace.patch('me', { username, password: goodPassword })
    t.deepEqual([answer.status, problemType(answer)], [409, 'conflict'])
    t.is(answer.body.detail, 'This username is taken.')
  }
  t.is(
    (await grace.patch('me', { username: 'GRACE', password: goodPassword })).status,
    200,
    'one’s own is not taken',
  )
  for (let round = 0; round < 10; round += 1) {
    const both = [grace, joan].map((one) =>
      one.patch('me', { username: `wanted${round}`, password: goodPassword }),
    )
    const statuses = (await Promise.all(both)).map(({ status }) => status)
    t.deepEqual(statuses.sort(), [200, 409])
  }
})

test('a username that becomes an email address by normalization → refused', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  for (const username of ['ada＠people.example', 'ada@people.example', 'ﷺ'.repeat(190)]) {
    const answer = await grace.patch('me', { username })
    t.deepEqual([answer.status, pointers(answer)], [422, ['/username']])
  }
})

test('deleting the account → needs the password; after ten wrong ones → 429', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  t.deepEqual(pointers(await grace.delete('me', {})), ['/password'])
  for (let guess = 0; guess < 10; guess += 1) {
    const answer = await grace.delete('me', { password: `a guess, no. ${guess}` })
    t.deepEqual([answer.status, pointers(answer)], [422, ['/password']])
  }
  const late = await grace.delete('me', { password: goodPassword })
  t.deepEqual([late.status, problemType(late)], [429, 'too-many-requests'])
  t.is((await grace.get('me')).status, 200, 'the person is still there')
})

test('the last administrator deletes their account → refused; one of two → deleted', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace', { roles: ['admin'] })
  await server.db('users').where({ username: 'ada' }).delete()
  const grace = await enter(server, 'grace')
  const refused = await grace.delete('me', { password: goodPassword })
  t.deepEqual([refused.status, problemType(refused)], [409, 'conflict'])
  t.is((await grace.get('me')).status, 200, 'and goes on being signed in')
  await addPerson(server, 'joan', { roles: ['admin'] })
  t.is((await grace.delete('me', { password: goodPassword })).status, 204)
  t.is((await grace.get('me')).status, 401)
})

test('the last two administrators delete their accounts at once → one remains', async (t) => {
  const server = await startServer(t)
  await server.db('users').delete()
  for (let round = 0; round < 10; round += 1) {
    const names = [`grace${round}`, `joan${round}`]
    for (const name of names) await addPerson(server, name, { roles: ['admin'] })
    const sessions = await Promise.all(names.map((name) => enter(server, name)))
    const gone = sessions.map((one) => one.delete('me', { password: goodPassword }))
    const statuses = (await Promise.all(gone)).map(({ status }) => status)
    t.deepEqual(statuses.sort(), [204, 409])
    await server.db('users').delete()
  }
})

test('ASVS 14.2.6: an export → everything about this person, nothing about others', async (t) => {
  const server = await startServer(t)
  const { id } = await addPerson(server, 'grace')
  await addPerson(server, 'joan', { fullName: 'Joan Clarke' })
  await enter(server, 'joan')
  const grace = await enter(server, 'grace')
  const wish = { email: 'grace@navy.example', password: goodPassword }
  t.is((await grace.post('email/change', wish)).status, 202)
  const { body, text, headers } = await grace.get('me/export')
  t.is(headers.get('cache-control'), 'no-store')
  t.is(body.person.id, id)
  const recipients = body.mails.map(({ recipient }: { recipient: string }) => recipient)
  t.deepEqual(recipients.sort(), ['grace@navy.example', 'grace@people.example'])
  t.notRegex(text, /joan/i)
  const known = (await server.db('users').where({ id }))[0]
  t.false(text.includes(known.password_hash))
})

test('a profile without the person’s own token → refused', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const nobody = accountApi(server)
  for (const answer of [
    await nobody.get('me'),
    await nobody.get('me/export'),
    await nobody.patch('me', { username: 'x' }),
    await nobody.delete('me', { password: goodPassword }),
    await nobody.post('password/change', {
      current_password: goodPassword,
      new_password: otherPassword,
    }),
    await nobody.post('email/change', { email: 'x@people.example', password: goodPassword }),
  ]) {
    t.deepEqual([answer.status, problemType(answer)], [401, 'unauthenticated'])
    t.is(answer.headers.get('www-authenticate'), 'Bearer realm="signet"')
  }
})

test('RFC 5646: a language of the pages → kept with its region; null clears it', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  t.is((await grace.get('me')).body.locale, null)
  for (const locale of ['de-AT', 'pt-BR', 'ar', null]) {
    t.is((await grace.patch('me', { locale })).body.locale, locale)
    t.is((await grace.get('me')).body.locale, locale)
  }
  for (const locale of ['tlh', 'de_AT', '', 'de-<b>', 'd', 7]) {
    const refused = await grace.patch('me', { locale })
    t.is(refused.status, 422, String(locale))
    t.deepEqual(pointers(refused), ['/locale'])
  }
  const [event] = await server.db('audit_events').where({ event: 'user.profile_changed' })
  t.deepEqual(event.detail, { fields: ['locale'] })
})

test('a change to the same values → no audit event', async (t) => {
  const server = await startServer(t)
  const { id } = await addPerson(server, 'grace', { fullName: 'Grace Hopper' })
  const grace = await enter(server, 'grace')
  const events = () =>
    server.db('audit_events').where({ user_id: id, event: 'user.profile_changed' })
  for (const nothing of [{}, { username: 'grace' }, { full_name: 'Grace Hopper' }]) {
    t.is((await grace.patch('me', nothing)).status, 200)
  }
  t.deepEqual(await events(), [])
  await grace.patch('me', { full_name: 'Rear Admiral Hopper', username: 'grace' })
  t.deepEqual(
    (await events()).map(({ detail }) => detail),
    [{ fields: ['full_name'] }],
  )
})

test('an eleventh export in an hour → 429', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  for (let time = 0; time < 10; time += 1) t.is((await grace.get('me/export')).status, 200)
  const refused = await grace.get('me/export')
  t.is(refused.status, 429)
  t.true(Number(refused.headers.get('retry-after')) > 3000)
})

test('ASVS 7.5.1: a username change → needs the password and sends a mail', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const wanted = { username: 'g.hopper' }
  for (const body of [wanted, { ...wanted, password: otherPassword }]) {
    const answer = await grace.patch('me', body)
    t.deepEqual([answer.status, pointers(answer)], [422, ['/password']])
  }
  t.is((await grace.patch('me', { username: 'grace', full_name: 'G' })).status, 200, 'no change')
  t.is((await server.db('outgoing_mail')).length, 0)
  t.is((await grace.patch('me', { ...wanted, password: goodPassword })).status, 200)
  const [mail] = await server.db('outgoing_mail')
  t.like(mail, { template: 'username_changed', recipient: 'grace@people.example' })
})

test('trying one username after the other → 429', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const statuses: number[] = []
  for (let turn = 0; turn < 11; turn += 1) {
    const wanted = { username: `name${turn}`, password: goodPassword }
    statuses.push((await grace.patch('me', wanted)).status)
  }
  t.deepEqual(statuses.slice(-2), [200, 429])
})

test('/api/v1/users/me → the caller, by the rules of /api/v1/auth/me', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const ask = (method: string, body?: object, token = grace.tokens.access_token) =>
    server.request('/api/v1/users/me', {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
  t.deepEqual((await ask('GET')).body, (await grace.get('me')).body)
  t.is((await ask('PATCH', { full_name: 'Grace' })).body.full_name, 'Grace')
  t.is((await ask('GET', undefined, 'x')).status, 401)
  t.deepEqual(pointers(await ask('DELETE', {})), ['/password'])
  const { id } = (await grace.get('me')).body
  const other = await server.get(`/api/v1/users/${id}`, {
    authorization: `Bearer ${grace.tokens.access_token}`,
  })
  t.is(other.status, 403, 'by id it is for administrators')
  t.is((await ask('DELETE', { password: goodPassword })).status, 204)
  t.is((await ask('GET')).status, 401)
})
