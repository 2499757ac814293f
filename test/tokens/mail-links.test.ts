import test from 'ava'
import { openMailRoom } from '../support/mail/mail-room.ts'
import { smtpError, startMailbox } from '../support/mail/mailbox.ts'

type Room = Awaited<ReturnType<typeof openMailRoom>>

test('links → valid for 24 hours or one hour from sending, as the mail says', async (t) => {
  const mailbox = await startMailbox(t)
  const room = await openMailRoom(t, { smtpUrl: mailbox.url })
  const ada = await room.person()
  await room.put({ template: 'verify_email', ...ada })
  await room.put({ template: 'reset_password', ...ada })
  room.clock.advance({ hours: 5 })
  await room.sender.run()
  const tokens = await room.db('one_time_tokens').orderBy('purpose')
  const hours = tokens.map(
    ({ expires_at }) => (expires_at - room.clock.now().getTime()) / 3_600_000,
  )
  t.deepEqual(hours.map(Math.round), [24, 1])
  for (const { link, text } of mailbox.mails) {
    t.regex(text ?? '', link?.includes('verify-email') ? /within 24 hours/ : /within an hour/)
  }
})

const verify = { template: 'verify_email' } as const
const reset = { template: 'reset_password' } as const
const meanwhile: Record<string, [typeof verify | typeof reset, (room: Room) => object]> = {
  'the address was proven': [verify, ({ clock }) => ({ email_verified_at: clock.now() })],
  'the person was disabled': [verify, ({ clock }) => ({ disabled_at: clock.now() })],
  'the password was changed': [reset, ({ clock }) => ({ password_changed_at: clock.now() })],
  'the address is another': [reset, () => ({ email: 'new@people.example' })],
}

for (const [what, [mail, columns]] of Object.entries(meanwhile)) {
  test(`a link that became pointless is not sent: ${what} meanwhile`, async (t) => {
    const mailbox = await startMailbox(t)
    const room = await openMailRoom(t, { smtpUrl: mailbox.url })
    const ada = await room.person()
    await room.put({ ...mail, ...ada })
    room.clock.advance({ seconds: 1 })
    await room.db('users').where({ id: ada.userId }).update(columns(room))
    await room.sender.run()
    t.is(mailbox.mails.length, 0)
    t.regex((await room.rows())[0].last_error, /^not needed/)
    t.is((await room.db('one_time_tokens')).length, 0)
  })
}

test('a late verification mail of an old address → the link of the newer one stays valid', async (t) => {
  let isFull = true
  const mailbox = await startMailbox(t, {
    onStep(step, address) {
      if (step === 'recipient' && address.startsWith('typo') && isFull) throw smtpError(452, 'full')
    },
  })
  const room = await openMailRoom(t, { smtpUrl: mailbox.url })
  const { userId } = await room.person()
  await room.put({ template: 'verify_email', to: 'typo@people.example', userId })
  await room.sender.run()
  isFull = false
  room.clock.advance({ seconds: 30 })
  await room.put({ template: 'verify_email', to: 'right@people.example', userId })
  await room.sender.run()
  room.clock.advance({ minutes: 2 })
  await room.sender.run()
  t.deepEqual(
    mailbox.mails.map(({ envelope }) => envelope.to[0]),
    ['right@people.example'],
  )
  const token = mailbox.mails[0]?.token ?? ''
  const holder = await room.oneTimeTokens.spend(room.db, { purpose: 'email_verification', token })
  t.deepEqual(holder, { userId, email: 'right@people.example' })
})

test('a person who is being deleted → other mails are sent, theirs is deleted', async (t) => {
  const mailbox = await startMailbox(t)
  const room = await openMailRoom(t, { smtpUrl: mailbox.url })
  const gone = await room.person()
  const stays = await room.person()
  await room.put({ template: 'verify_email', ...gone })
  room.clock.advance({ seconds: 1 })
  await room.put({ template: 'verify_email', ...stays })
  await room.db.transaction(async (trx) => {
    await trx('users').where({ id: gone.userId }).forUpdate().first()
    await room.sender.run()
    t.deepEqual(
      mailbox.mails.map(({ envelope }) => envelope.to[0]),
      [stays.to],
    )
    await trx('users').where({ id: gone.userId }).delete()
  })
  room.clock.advance({ minutes: 10 })
  await room.sender.run()
  t.is(mailbox.mails.length, 1)
  t.deepEqual(
    (await room.rows()).map(({ recipient }) => recipient),
    [stays.to],
  )
})

test('people deleted while their mails are sent → no deadlock', async (t) => {
  const mailbox = await startMailbox(t)
  const room = await openMailRoom(t, { smtpUrl: mailbox.url })
  for (let round = 0; round < 10; round += 1) {
    const people = await Promise.all(Array.from({ length: 8 }, () => room.person()))
    for (const one of people) await room.put({ template: 'verify_email', ...one })
    const deleting = people.map(({ userId }) =>
      room.db.transaction((trx) => trx('users').where({ id: userId }).delete()),
    )
    await Promise.all([room.sender.run(), ...deleting])
  }
  t.is((await room.rows()).length, 0)
  t.false(
    room.logged.some((line) => line.includes('"level":50')),
    room.logged.join(''),
  )
})
