import test from 'ava'
import { openMailSystem } from '../support/mail/mail-system.ts'
import { smtpError, startMailbox } from '../support/mail/mailbox.ts'

type System = Awaited<ReturnType<typeof openMailSystem>>

test('links → valid for 24 hours or one hour from sending, as the mail says', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const ada = await system.person()
  await system.put({ template: 'verify_email', ...ada })
  await system.put({ template: 'reset_password', ...ada })
  system.clock.advance({ hours: 5 })
  await system.sender.run()
  const tokens = await system.db('one_time_tokens').orderBy('purpose')
  const hours = tokens.map(
    ({ expires_at }) => (expires_at - system.clock.now().getTime()) / 3_600_000,
  )
  t.deepEqual(hours.map(Math.round), [24, 1])
  for (const { link, text } of mailbox.mails) {
    t.regex(text ?? '', link?.includes('verify-email') ? /within 24 hours/ : /within an hour/)
  }
})

const verify = { template: 'verify_email' } as const
const reset = { template: 'reset_password' } as const
const meanwhile: Record<string, [typeof verify | typeof reset, (system: System) => object]> = {
  'the address was proven': [verify, ({ clock }) => ({ email_verified_at: clock.now() })],
  'the person was disabled': [verify, ({ clock }) => ({ disabled_at: clock.now() })],
  'the password was changed': [reset, ({ clock }) => ({ password_changed_at: clock.now() })],
  'the address is another': [reset, () => ({ email: 'new@people.example' })],
}

for (const [what, [mail, columns]] of Object.entries(meanwhile)) {
  test(`a link that became pointless is not sent: ${what} meanwhile`, async (t) => {
    const mailbox = await startMailbox(t)
    const system = await openMailSystem(t, { smtpUrl: mailbox.url })
    const ada = await system.person()
    await system.put({ ...mail, ...ada })
    system.clock.advance({ seconds: 1 })
    await system.db('users').where({ id: ada.userId }).update(columns(system))
    await system.sender.run()
    t.is(mailbox.mails.length, 0)
    t.regex((await system.rows())[0].last_error, /^not needed/)
    t.is((await system.db('one_time_tokens')).length, 0)
  })
}

test('a late verification mail of an old address → the link of the newer one stays valid', async (t) => {
  let isFull = true
  const mailbox = await startMailbox(t, {
    onStep(step, address) {
      if (step === 'recipient' && address.startsWith('typo') && isFull) throw smtpError(452, 'full')
    },
  })
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const { userId } = await system.person()
  await system.put({ template: 'verify_email', to: 'typo@people.example', userId })
  await system.sender.run()
  isFull = false
  system.clock.advance({ seconds: 30 })
  await system.put({ template: 'verify_email', to: 'right@people.example', userId })
  await system.sender.run()
  system.clock.advance({ minutes: 2 })
  await system.sender.run()
  t.deepEqual(
    mailbox.mails.map(({ envelope }) => envelope.to[0]),
    ['right@people.example'],
  )
  const token = mailbox.mails[0]?.token ?? ''
  const holder = await system.oneTimeTokens.spend(system.db, {
    purpose: 'email_verification',
    token,
  })
  t.deepEqual(holder, { userId, email: 'right@people.example' })
})

test('a person who is being deleted → other mails are sent, theirs is deleted', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const gone = await system.person()
  const stays = await system.person()
  await system.put({ template: 'verify_email', ...gone })
  system.clock.advance({ seconds: 1 })
  await system.put({ template: 'verify_email', ...stays })
  await system.db.transaction(async (trx) => {
    await trx('users').where({ id: gone.userId }).forUpdate().first()
    await system.sender.run()
    t.deepEqual(
      mailbox.mails.map(({ envelope }) => envelope.to[0]),
      [stays.to],
    )
    await trx('users').where({ id: gone.userId }).delete()
  })
  system.clock.advance({ minutes: 10 })
  await system.sender.run()
  t.is(mailbox.mails.length, 1)
  t.deepEqual(
    (await system.rows()).map(({ recipient }) => recipient),
    [stays.to],
  )
})

test('people deleted while their mails are sent → no deadlock', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  for (let round = 0; round < 10; round += 1) {
    const people = await Promise.all(Array.from({ length: 8 }, () => system.person()))
    for (const one of people) await system.put({ template: 'verify_email', ...one })
    const deleting = people.map(({ userId }) =>
      system.db.transaction((trx) => trx('users').where({ id: userId }).delete()),
    )
    await Promise.all([system.sender.run(), ...deleting])
  }
  t.is((await system.rows()).length, 0)
  t.false(
    system.logged.some((line) => line.includes('"level":50')),
    system.logged.join(''),
  )
})
