import test from 'ava'
import { fromElsewhere, startMailedServer } from '../../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { disable } from '../../support/people/administer-people.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'
import { dump, tracesOf } from '../../support/stores/dump.ts'

const email = 'grace@people.example'

/** With the password of the account, unless the call sends something else. */
const confirm = (
  server: TestServer,
  token: string,
  proof: object = { password: goodPassword },
  accessToken?: string,
) =>
  accountApi(server, accessToken).post(
    'email/verification/confirm',
    { token, ...proof },
    fromElsewhere(),
  )

test('ASVS 6.5.1: 10 concurrent uses of one link → one succeeds', async (t) => {
  const { server, link } = await startMailedServer(t)
  for (let round = 0; round < 5; round += 1) {
    const { id } = await addPerson(server, `grace${round}`, { emailVerified: false })
    const address = `grace${round}@people.example`
    await accountApi(server).post('email/verification/request', { email: address })
    const token = await link(address)
    const racers = Array.from({ length: 10 }, () => confirm(server, token))
    const answers = await Promise.all(racers)
    t.is(answers.filter(({ status }) => status === 200).length, 1)
    t.is(answers.filter((answer) => problemType(answer) === 'unusable-token').length, 9)
    const events = await server.db('audit_events').where({ user_id: id }).pluck('event')
    t.is(events.filter((event) => event === 'user.email_verified').length, 1)
  }
})

test('ASVS 6.6.2: a link → valid for a day, for its purpose, until a newer one is sent', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  await addPerson(server, 'grace', { emailVerified: false })
  const ask = () => api.post('email/verification/request', { email }, fromElsewhere())
  await ask()
  const older = await link(email)
  await ask()
  const newer = await link(email, 2)
  const reset = { token: newer, new_password: otherPassword }
  for (const answer of [
    await confirm(server, older),
    await api.post('password/reset/confirm', reset),
  ]) {
    t.deepEqual([answer.status, problemType(answer)], [400, 'unusable-token'])
  }
  server.clock.advance({ hours: 24, minutes: 1 })
  t.is(problemType(await confirm(server, newer)), 'unusable-token', 'a day is over')
  await ask()
  const last = await link(email, 3)
  server.clock.advance({ hours: 23, minutes: 50 })
  const proven = await confirm(server, last)
  t.like(proven, { status: 200, body: { email, email_verified: true } })
  t.is(problemType(await confirm(server, last)), 'unusable-token')
})

test('a verified, a disabled and an unknown address → no link, and the same answer', async (t) => {
  const { server, to, quiet } = await startMailedServer(t)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan', { emailVerified: false })
  await disable(server, 'joan')
  for (const name of ['grace', 'joan', 'nobody']) {
    const asked = { email: `${name}@people.example` }
    const answer = await accountApi(server).post('email/verification/request', asked)
    t.deepEqual([answer.status, answer.text], [202, ''])
  }
  await quiet()
  for (const name of ['grace', 'joan', 'nobody']) t.is(to(`${name}@people.example`).length, 0)
  t.false((await dump(server.db)).includes('nobody@'), 'nor is a stranger’s address kept')
})

test('ASVS 7.5.1: an address change with a wrong password → refused on that field', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const wanted = { email: 'grace@navy.example' }
  t.deepEqual(pointers(await grace.post('email/change', wanted)), ['/password'])
  const wrong = await grace.post('email/change', { ...wanted, password: otherPassword })
  t.deepEqual([wrong.status, pointers(wrong)], [422, ['/password']])
  const both = await grace.post('email/change', { email: 'nobody', roles: [] })
  t.deepEqual(pointers(both), ['/email', '/password', '/roles'])
  t.is((await server.db('outgoing_mail')).length, 0)
  t.is((await grace.get('me')).body.email, email)
})

test('ASVS 6.3.8: a change to a taken address → the same answer, and a mail to its owner', async (t) => {
  const { server, to, quiet } = await startMailedServer(t)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  const grace = await enter(server, 'grace')
  const change = (address: string) =>
    grace.post('email/change', { email: address, password: goodPassword })
  const [taken, free] = [await change('JOAN@people.example'), await change('free@people.example')]
  t.deepEqual([taken.status, taken.text], [free.status, free.text])
  t.is(taken.status, 202)
  await quiet()
  const [told] = to('JOAN@people.example')
  t.regex(told?.subject ?? '', /You already have an account/)
  t.is(told?.token, undefined)
  t.is(to(email).length, 2, 'the old address is told of both')
})

test('several people verify one address at once → one gets it, all get an answer', async (t) => {
  const { server, link } = await startMailedServer(t)
  const names = ['grace', 'joan', 'mary', 'jean']
  for (const name of names) await addPerson(server, name)
  for (let round = 0; round < 4; round += 1) {
    const wanted = { email: `wanted${round}@people.example`, password: goodPassword }
    const tokens: string[] = []
    for (const [index, name] of names.entries()) {
      t.is((await (await enter(server, name)).post('email/change', wanted)).status, 202)
      tokens.push(await link(wanted.email, index + 1))
    }
    const answers = await Promise.all(tokens.map((token) => confirm(server, token)))
    const statuses = answers.map(({ status }) => status)
    t.deepEqual([...statuses].sort(), [200, 400, 400, 400])
    const owners = await server.db('users').where({ email: wanted.email }).pluck('username')
    t.deepEqual(owners, [names[statuses.indexOf(200)]])
  }
})

test('an address was registered meanwhile → it stays with its owner', async (t) => {
  const { server, link } = await startMailedServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const wanted = { email: 'late@people.example', password: goodPassword }
  await grace.post('email/change', wanted)
  const token = await link(wanted.email)
  await accountApi(server).post('register', { ...wanted, password: otherPassword })
  t.is(problemType(await confirm(server, token)), 'unusable-token')
  t.is((await grace.get('me')).body.email, email)
})

test('ASVS 7.4.2: a link of a disabled or deleted person → verifies nothing', async (t) => {
  const { server, link } = await startMailedServer(t)
  for (const name of ['grace', 'joan']) {
    const { id } = await addPerson(server, name, { emailVerified: false })
    const address = `${name}@people.example`
    await accountApi(server).post('email/verification/request', { email: address })
    const token = await link(address)
    if (name === 'grace') await disable(server, name)
    else await server.services.administration.delete(id)
    t.is(problemType(await confirm(server, token)), 'unusable-token')
    const [row] = await server.db('users').where({ id })
    t.is(row?.email_verified_at ?? null, null)
  }
})

test('ASVS 6.5.2: a live link to confirm an address is in no answer, no log and no table', async (t) => {
  const logged: string[] = []
  const { server, link } = await startMailedServer(t, { logTo: (line) => logged.push(line) })
  const registration = { email, password: goodPassword }
  const registered = await accountApi(server).post('register', registration)
  const token = await link(email)
  const everything = await dump(server.db)
  t.regex(everything, /one_time_tokens\n\(/)
  for (const trace of tracesOf(token)) {
    for (const text of [everything, logged.join(''), registered.text]) {
      t.false(text.includes(trace))
    }
  }
})

test('both links of a person and a password change at once → no deadlock', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  for (let round = 0; round < 6; round += 1) {
    const name = `grace${round}`
    const address = `${name}@people.example`
    await addPerson(server, name)
    const grace = await enter(server, name)
    const moved = `moved${round}@people.example`
    await grace.post('email/change', { email: moved, password: goodPassword })
    await api.post('password/reset/request', { email: address }, fromElsewhere())
    const [proof, token] = [await link(moved), await link(address)]
    const answers = await Promise.all([
      confirm(server, proof),
      api.post('password/reset/confirm', { token, new_password: otherPassword }, fromElsewhere()),
      grace.post('password/change', {
        ...{ current_password: goodPassword, new_password: 'eleven kites beyond the orchard' },
      }),
    ])
    for (const { status, text } of answers) t.true(status < 500, text)
    t.true(answers.some(({ status }) => status === 200))
  }
})

test('ASVS 6.3.1: ten wrong passwords with a link → the link is spent, the owner still confirms, audited', async (t) => {
  const { server, link } = await startMailedServer(t)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const moved = { email: 'mistyped@people.example', password: goodPassword }
  await grace.post('email/change', moved)
  const token = await link(moved.email)
  for (let guess = 0; guess < 10; guess += 1) {
    const wrong = await confirm(server, token, { password: `${otherPassword} ${guess}` })
    t.deepEqual([wrong.status, pointers(wrong)], [422, ['/password']])
  }
  t.is((await grace.post('email/change', moved)).status, 202, 'the owner is not locked out')
  const newer = await link(moved.email, 2)
  for (let guess = 0; guess < 10; guess += 1) await confirm(server, newer, { password: 'x' })
  for (let again = 0; again < 2; again += 1) {
    const late = await confirm(server, newer)
    t.deepEqual([late.status, problemType(late)], [400, 'unusable-token'])
  }
  t.is((await grace.get('me')).body.email, email)
  t.deepEqual(await server.db('one_time_tokens').where({ user_id: id }), [])
  const events = server.db('audit_events').where({ event: 'user.email_verification_failed' })
  const told = await events.orderBy('id').select('user_id', 'detail')
  t.is(told.length, 21)
  t.deepEqual(told.at(-1), { user_id: id, detail: { link: 'spent' } })
})

test('a link with 20 passwords that are refused → the next one is 429', async (t) => {
  const { server, link } = await startMailedServer(t, { redis: false })
  await addPerson(server, 'grace')
  const api = accountApi(server)
  await api.post('password/reset/request', { email })
  const token = await link(email)
  const reset = (password: string) =>
    api.post('password/reset/confirm', { token, new_password: password }, fromElsewhere())
  for (let guess = 0; guess < 20; guess += 1) t.is((await reset('password')).status, 422)
  const late = await reset(otherPassword)
  t.is(late.status, 429)
  t.is(late.headers.get('ratelimit-policy'), '"link-password";q=20;w=3600')
})
