import test from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { smtpError } from '../../support/mail/mailbox.ts'
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
import { guessUntilLocked } from '../../support/people/guessing.ts'
import { startServer } from '../../support/server/start-server.ts'
import { dump, tracesOf } from '../../support/stores/dump.ts'

const email = 'grace@people.example'
const distinct = (index: number) => `harbour lamps, all ${index} of them`

test('ASVS 6.5.1: 20 concurrent uses of one reset link → one succeeds, and only its password is set', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  for (let round = 0; round < 4; round += 1) {
    const name = `grace${round}`
    const address = `${name}@people.example`
    const { id } = await addPerson(server, name)
    await api.post('password/reset/request', { email: address })
    const token = await link(address)
    // On a machine that does much else, one is answered 503 and tries again.
    const use = async (new_password: string): Promise<number> => {
      const { status } = await api.post(
        'password/reset/confirm',
        { token, new_password },
        fromElsewhere(),
      )
      return status === 503 ? use(new_password) : status
    }
    const racers = Array.from({ length: 20 }, (_, i) => use(distinct(i)))
    const statuses = await Promise.all(racers)
    t.is(statuses.filter((status) => status === 200).length, 1, statuses.join())
    t.is(statuses.filter((status) => status === 400).length, 19, statuses.join())
    await enter(server, name, distinct(statuses.indexOf(200)))
    const events = await server
      .db('audit_events')
      .where({ user_id: id, event: 'user.password_set' })
    t.is(events.length, 1)
  }
})

test('ASVS 6.6.2: a reset link → valid for its person and purpose, until a newer one is sent', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  const confirm = (token: string) =>
    api.post('password/reset/confirm', { token, new_password: otherPassword })
  await api.post('password/reset/request', { email: 'joan@people.example' })
  await api.post('password/reset/request', { email })
  const older = await link(email)
  await api.post('password/reset/request', { email: 'GRACE@people.example' })
  const newer = await link(email, 2)
  t.is(
    problemType(await api.post('email/verification/confirm', { token: newer })),
    'unusable-token',
  )
  for (const token of [older, `${newer}x`, newer.slice(0, -1), newer.replace('sot_', '')]) {
    const answer = await confirm(token)
    t.deepEqual([answer.status, problemType(answer)], [400, 'unusable-token'])
  }
  t.is((await confirm(newer)).status, 200)
  await enter(server, 'grace', otherPassword)
  await enter(server, 'joan', goodPassword)
  t.is((await confirm(await link('joan@people.example'))).status, 200, 'her own is untouched')
})

test('a refused new password → reported on its field, and the link is not spent', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  await addPerson(server, 'grace')
  await api.post('password/reset/request', { email })
  const token = await link(email)
  for (const new_password of ['short', 'password1', 'Grace@People.example', 'x'.repeat(129)]) {
    const answer = await api.post('password/reset/confirm', { token, new_password })
    t.deepEqual([answer.status, pointers(answer)], [422, ['/new_password']], new_password)
  }
  const wanted = { token, new_password: otherPassword }
  t.is((await api.post('password/reset/confirm', wanted)).status, 200)
})

test('ASVS 7.4.2: a disabled or deleted person → no new link, and existing links are invalid', async (t) => {
  const { server, link, to, quiet } = await startMailedServer(t)
  const api = accountApi(server)
  for (const name of ['grace', 'joan']) {
    const { id } = await addPerson(server, name)
    const address = `${name}@people.example`
    await api.post('password/reset/request', { email: address })
    const token = await link(address)
    if (name === 'grace') await disable(server, name)
    else await server.services.administration.delete(id)
    const before = await server.db('users').where({ id })
    const wanted = { token, new_password: otherPassword }
    t.is(problemType(await api.post('password/reset/confirm', wanted)), 'unusable-token')
    t.deepEqual(await server.db('users').where({ id }), before)
    t.is((await api.post('password/reset/request', { email: address })).status, 202)
    await quiet()
    t.is(to(address).filter((mail) => mail.token).length, 1)
  }
})

test('a reset → verifies the address and makes the device known', async (t) => {
  const { server, link } = await startMailedServer(t)
  const api = accountApi(server)
  await addPerson(server, 'grace', { emailVerified: false })
  const login = (password: string, more = {}) =>
    api.post('login', { email, password, ...more }, fromElsewhere())
  t.is(problemType(await login(goodPassword)), 'wrong-credentials')
  await link(email)
  await api.post('password/reset/request', { email })
  const wanted = { token: await link(email, 2), new_password: otherPassword }
  const { device_token } = (await api.post('password/reset/confirm', wanted)).body
  await guessUntilLocked((password) => login(password))
  t.is((await login(otherPassword)).status, 429, 'strangers have to wait')
  const entered = await login(otherPassword, { device_token })
  t.is(entered.status, 200, entered.text)
  const me = await accountApi(server, entered.body.access_token).get('me')
  t.true(me.body.email_verified)
})

test('a reset → ends all API keys', async (t) => {
  const { server, link } = await startMailedServer(t)
  const { id: userId } = await addPerson(server, 'grace')
  const wanted = { userId, name: 'left behind', scope: ['read'], audience: ['x'], expiresAt: null }
  const made = await server.services.apiKeys.create(wanted)
  const secret = made?.secret ?? ''
  t.truthy(await server.services.apiKeys.verify(secret))
  const api = accountApi(server)
  await api.post('password/reset/request', { email })
  const confirmed = { token: await link(email), new_password: otherPassword }
  t.is((await api.post('password/reset/confirm', confirmed)).status, 200)
  t.is(await server.services.apiKeys.verify(secret), undefined)
  const sid = { kind: 'sid', value: made?.key.id ?? '' } as const
  t.true(await server.services.revocations.isRevokedAny([sid]), 'and what it was exchanged for')
})

test('ASVS 7.5.1: a new password → a thief’s link to another address becomes invalid', async (t) => {
  const plan = { email: 'thief@elsewhere.example', password: goodPassword }
  let busy = false
  const onStep = (step: string, address: string) => {
    if (busy && step === 'recipient' && address === plan.email) throw smtpError(451, 'later')
  }
  const { server, link, to, quiet } = await startMailedServer(t, {}, { onStep })
  await addPerson(server, 'grace')
  const thief = await enter(server, 'grace')
  await thief.post('email/change', plan)
  const theirs = await link(plan.email)
  const api = accountApi(server)
  await api.post('password/reset/request', { email })
  const wanted = { token: await link(email), new_password: otherPassword }
  t.is((await api.post('password/reset/confirm', wanted)).status, 200)
  const late = await api.post('email/verification/confirm', { token: theirs })
  t.is(problemType(late), 'unusable-token')

  // The same with a mail that is still in the outbox.
  const grace = await enter(server, 'grace', otherPassword)
  busy = true
  await grace.post('email/change', { ...plan, password: otherPassword })
  const theirMail = () => server.db('outgoing_mail').where({ recipient: plan.email }).orderBy('id')
  await eventually(async () => (await theirMail())[1]?.last_error !== null, 'it was tried')
  busy = false
  const change = { current_password: otherPassword, new_password: goodPassword }
  t.is((await grace.post('password/change', change)).status, 200)
  server.clock.advance({ minutes: 2 })
  await server.services.mailSender.run()
  await quiet()
  t.regex((await theirMail())[1].last_error, /the password has since been changed/)
  t.is(to(plan.email).length, 1)
})

test('ASVS 6.5.2: a live link to reset a password is in no answer, no log and no table', async (t) => {
  const logged: string[] = []
  const { server, link } = await startMailedServer(t, { logTo: (line) => logged.push(line) })
  const api = accountApi(server)
  await addPerson(server, 'grace')
  const asked = await api.post('password/reset/request', { email })
  t.deepEqual([asked.status, asked.text], [202, ''])
  const token = await link(email)
  const short = await api.post('password/reset/confirm', { token, new_password: 'password1' })
  await api.get(`password/reset/confirm?token=${token}`)
  const everything = await dump(server.db)
  t.regex(everything, /one_time_tokens\n\(/)
  for (const trace of tracesOf(token)) {
    for (const text of [everything, logged.join(''), short.text]) t.false(text.includes(trace))
  }
})

test('ASVS 6.2.3: a wrong current password → reported on its field; after ten → 429', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const change = (current_password: string, new_password: string) =>
    grace.post('password/change', { current_password, new_password })
  let current = goodPassword
  for (let times = 0; times < 10; times += 1) {
    t.is((await change(current, distinct(times))).status, 200, 'a right one is no guess')
    current = distinct(times)
  }
  for (let guess = 0; guess < 10; guess += 1) {
    const wrong = await change(`a guess, no. ${guess}`, otherPassword)
    t.deepEqual([wrong.status, pointers(wrong)], [422, ['/current_password']])
  }
  const late = await change(current, otherPassword)
  t.deepEqual([late.status, problemType(late)], [429, 'too-many-requests'])
  t.regex(late.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  t.is(late.headers.get('ratelimit-policy'), '"password-confirmation";q=10;w=900')
  const elsewhere = { email: 'x@people.example', password: current }
  t.is((await grace.post('email/change', elsewhere)).status, 429, 'all places count together')
  await enter(server, 'grace', current)
})

test('concurrent changes of one password → one succeeds', async (t) => {
  const server = await startServer(t, { environment: { PASSWORD_QUEUE_SECONDS: '60' } })
  await addPerson(server, 'grace')
  const sessions = [await enter(server, 'grace'), await enter(server, 'grace')]
  const racers = Array.from({ length: 8 }, (_, i) =>
    sessions[i % 2]?.post('password/change', {
      ...{ current_password: goodPassword, new_password: distinct(i) },
    }),
  )
  const statuses = (await Promise.all(racers)).map((answer) => answer?.status)
  t.is(statuses.filter((status) => status === 200).length, 1, statuses.join())
  t.deepEqual([...new Set(statuses)].sort().at(0), 200)
  await enter(server, 'grace', distinct(statuses.indexOf(200)))
})

test('ASVS 6.2: new passwords → judged by length and strength in NFKC, not by kinds of characters', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace', { fullName: 'Grace Brewster Hopper' })
  const grace = await enter(server, 'grace')
  const change = (current_password: string, new_password: string) =>
    grace.post('password/change', { current_password, new_password })
  const refused = {
    'The password must be at least 8 characters long.': ['1234567', 'ﬁﬁﬁ!', '🦉🦉🦉🦉🦉🦉🦉'],
    'The password must be at most 128 characters long.': ['é'.repeat(129), 'abcdefghij'.repeat(13)],
    '': [
      'password',
      '12345678',
      'qwertyuiop',
      'grace@people.example',
      'gracebrewster',
      'signet123',
    ],
  }
  for (const [sentence, passwords] of Object.entries(refused)) {
    for (const password of passwords) {
      const answer = await change(goodPassword, password)
      t.deepEqual([answer.status, pointers(answer)], [422, ['/new_password']], password)
      if (sentence) t.is(answer.body.errors[0].detail, sentence)
      t.regex(answer.body.errors[0].detail, /^[A-Z].*[.!]$/, password)
    }
  }
  const long = Array.from({ length: 128 }, (_, i) => String.fromCodePoint(0x4e00 + 37 * i)).join('')
  let current = goodPassword
  for (const password of [
    long,
    'plain lower case words',
    'Ŝtono kaj fiŝo ĉe rivero',
    '  ~~ 水 ~~  ',
  ]) {
    const answer = await change(current, password)
    t.is(answer.status, 200, `${password} ${answer.text}`)
    await enter(server, 'grace', password.normalize('NFD'))
    await enter(server, 'grace', password.normalize('NFKC'))
    current = password
  }
  for (const almost of [current.trim(), `${current} `, current.toUpperCase().slice(0, -1)]) {
    await t.throwsAsync(enter(server, 'grace', almost), { message: /wrong-credentials/ })
  }
})

test('ASVS 6.2.3: an eleventh password change in an hour, each with the right password → 429', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace', goodPassword)
  const change = (current: string, wanted: string) =>
    grace.post('password/change', { current_password: current, new_password: wanted })
  let current = goodPassword
  for (let index = 0; index < 10; index += 1) {
    t.is((await change(current, distinct(index))).status, 200)
    current = distinct(index)
  }
  const late = await change(current, distinct(10))
  t.is(late.status, 429)
  t.is(late.headers.get('ratelimit-policy'), '"password-change";q=10;w=3600')
  const mails = await server.db('outgoing_mail').where({ template: 'password_changed' })
  t.is(mails.length, 10)
})
