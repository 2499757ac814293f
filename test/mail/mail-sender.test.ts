import test from 'ava'
import { finishedMail } from '../../src/mail/mail-queue.ts'
import { deleteExpired } from '../../src/stores/delete-expired.ts'
import { openMailSystem, openSender } from '../support/mail/mail-system.ts'
import { smtpError, startMailbox } from '../support/mail/mailbox.ts'

const changed = { template: 'password_changed' } as const

test('a committed mail → sent by itself, with the same words as text and HTML', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const { to, userId } = await system.person()
  system.sender.start()
  await system.put({ template: 'reset_password', to, userId, data: { ip: '203.0.113.7' } })
  const [mail] = await mailbox.wait(1)
  const [row] = await system.rows()
  t.deepEqual(mail?.envelope, { from: 'signet@mail.example', to: [to] })
  t.is(mail?.messageId, `<${row.id}@issuer.example>`)
  t.deepEqual(mail?.from, { name: 'Signet', address: 'signet@mail.example' })
  t.is(mail?.headers.find(({ key }) => key === 'auto-submitted')?.value, 'auto-generated')
  t.regex(mail?.text ?? '', /203\.0\.113\.7/)
  const words = (text = '') => text.split(/\s+/).filter(Boolean)
  const body = mail?.html?.split(/<body[^>]*>/)[1]?.replace(/<[^>]+>/g, ' ')
  t.deepEqual(words(body?.replaceAll('&#39;', "'")), words(mail?.text))
})

test('before the commit → no sender is woken; a rollback sends nothing', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const seen: Promise<number>[] = []
  system.outbox.whenCommitted(() => seen.push(system.rows().then((rows) => rows.length)))
  const broken = system.db.transaction(async (trx) => {
    await system.outbox.put(trx, { ...changed, to: 'ada@people.example' })
    throw new Error('the use case failed')
  })
  await t.throwsAsync(broken, { message: 'the use case failed' })
  await system.sender.run()
  t.deepEqual([seen.length, mailbox.mails.length], [0, 0])
  await system.db.transaction(async (trx) => {
    await system.outbox.put(trx, { ...changed, to: 'ada@people.example' })
    t.is(seen.length, 0)
  })
  t.deepEqual(await Promise.all(seen), [1])
})

test('the mail server is down → mails wait, and are delivered once afterwards', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await mailbox.close()
  await system.put({ ...changed, to: 'ada@people.example' })
  await system.sender.run()
  t.like((await system.rows())[0], { attempts: 1, sent_at: null, given_up_at: null })
  t.regex((await system.rows())[0].last_error, /ECONNREFUSED/)
  t.like(await system.sender.queue.backlog(), { waiting: 1 })
  const back = await startMailbox(t, { port: mailbox.port })
  await system.sender.run()
  t.is(back.mails.length, 0, 'not before its time')
  system.clock.advance({ seconds: 61 })
  await system.sender.run()
  system.clock.advance({ days: 2 })
  await system.sender.run()
  t.is(back.mails.length, 1)
  t.like((await system.rows())[0], { attempts: 2, last_error: null })
  t.deepEqual(await system.sender.queue.backlog(), { waiting: 0, oldestSeconds: 0 })
})

test('a 4xx → retried for three days, first after a minute, finally after hours', async (t) => {
  const mailbox = await startMailbox(t, {
    onStep(step) {
      if (step === 'recipient') throw smtpError(451, '4.7.1 greylisted, ada@people.example')
    },
  })
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await system.put({ ...changed, to: 'ada@people.example' })
  const minutes: number[] = []
  for (let tries = 0; tries < 40; tries += 1) {
    await system.sender.run()
    const [row] = await system.rows()
    if (row.given_up_at) break
    const wait = row.next_attempt_at.getTime() - system.clock.now().getTime()
    minutes.push(Math.round(wait / 60_000))
    system.clock.advance({ seconds: wait / 1000 + 1 })
  }
  t.deepEqual(minutes.slice(0, 10), [1, 2, 5, 15, 30, 60, 120, 240, 360, 360])
  const hours = minutes.reduce((sum, one) => sum + one, 0) / 60
  t.true(hours > 72 && hours < 79, `${hours} hours`)
  const [row] = await system.rows()
  t.is(row.last_error, 'RCPT TO: 451 4.7.1 greylisted, somebody@…')
  t.regex(system.logged.at(-1) ?? '', /"level":50.*"domain":"people.example".*mail given up/)
  t.false(system.logged.join('').includes('ada@'), 'no address in the log')
})

for (const step of ['recipient', 'taken'] as const) {
  test(`RFC 5321 §4.2.1: a 5xx about the mail (${step}) gives it up at once`, async (t) => {
    const mailbox = await startMailbox(t, {
      onStep(at) {
        if (at === step) throw smtpError(550, '5.1.1 no')
      },
    })
    const system = await openMailSystem(t, { smtpUrl: mailbox.url })
    await system.put({ ...changed, to: 'ada@people.example' })
    await system.sender.run()
    const [row] = await system.rows()
    t.truthy(row.given_up_at)
    t.regex(row.last_error, /^(RCPT TO|DATA): 550 5\.1\.1/)
  })
}

test('a 5xx about the operator’s settings → the mail is sent once they are fixed', async (t) => {
  let isRight = false
  const mailbox = await startMailbox(t, {
    onStep(step) {
      if (step === 'sender' && !isRight) throw smtpError(553, '5.7.1 not your sender')
    },
  })
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await system.put({ ...changed, to: 'ada@people.example' })
  await system.sender.run()
  t.like((await system.rows())[0], { given_up_at: null, attempts: 1 })
  isRight = true
  system.clock.advance({ seconds: 61 })
  await system.sender.run()
  t.is(mailbox.mails.length, 1)
})

test('two senders and 200 mails → each is sent exactly once', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const other = openSender(system.db, system.clock, { smtpUrl: mailbox.url })
  for (let i = 0; i < 200; i += 1) await system.put({ ...changed, to: `p${i}@people.example` })
  await Promise.all([system.sender.run(), other.run()])
  t.is(mailbox.mails.length, 200)
  t.is(new Set(mailbox.mails.map(({ messageId }) => messageId)).size, 200)
  const shares = await Promise.all([system.sender, other].map(({ metrics }) => metrics.mails.get()))
  for (const { values } of shares) t.true((values[0]?.value ?? 0) > 20, 'both have worked')
})

test('a mail claimed by another sender → does not delay others', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await system.put({ ...changed, to: 'first@people.example' })
  await system.put({ ...changed, to: 'second@people.example' })
  await system.db.transaction(async (trx) => {
    await trx('outgoing_mail').where({ recipient: 'first@people.example' }).forUpdate().first()
    await system.sender.run()
    t.deepEqual(mailbox.mails[0]?.envelope.to, ['second@people.example'])
  })
})

test('a sent mail that could not be recorded → not sent again by this instance', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await system.db.raw(`
    CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'away'; END $$;
    CREATE TRIGGER away BEFORE UPDATE OF sent_at ON outgoing_mail FOR EACH ROW EXECUTE FUNCTION away()`)
  await system.put({ ...changed, to: 'ada@people.example' })
  await system.sender.run()
  system.clock.advance({ minutes: 10 })
  await system.sender.run()
  t.is(mailbox.mails.length, 1)
  await system.db.raw('DROP TRIGGER away ON outgoing_mail')
  await system.sender.run()
  t.is(mailbox.mails.length, 1)
  t.truthy((await system.rows())[0].sent_at)
})

test('stop → waits for the mail in progress, and aborts one that takes too long', async (t) => {
  let taken = () => {}
  const mailbox = await startMailbox(t, {
    async onStep(step, address) {
      if (step !== 'recipient') return
      taken()
      if (address.startsWith('never')) await new Promise(() => undefined)
    },
  })
  for (const [to, sent] of [
    ['ada@people.example', true],
    ['never@people.example', false],
  ] as const) {
    const system = await openMailSystem(t, { smtpUrl: mailbox.url })
    await system.put({ ...changed, to })
    const underWay = new Promise<void>((resolve) => {
      taken = resolve
    })
    system.sender.start()
    await underWay
    await system.sender.stop(sent ? 60 : 0)
    const [row] = await system.rows()
    t.is(row.sent_at !== null, sent)
    if (!sent) t.regex(row.last_error, /the server is stopping/)
    await system.put({ ...changed, to })
    await system.sender.run()
    t.is((await system.rows())[1].attempts, 0, 'it takes no more')
  }
})

test('a template of a newer release → left to instances that know it', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  await system.put({ ...changed, to: 'ada@people.example' })
  await system.db('outgoing_mail').update({ template: 'from_the_future' })
  await system.put({ ...changed, to: 'bob@people.example' })
  await system.sender.run()
  t.deepEqual(
    mailbox.mails.map(({ envelope }) => envelope.to[0]),
    ['bob@people.example'],
  )
  t.like((await system.rows())[0], { attempts: 0, given_up_at: null })
})

test('old mails → deleted in batches, except those that still wait', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  for (const name of ['a', 'b', 'c']) await system.put({ ...changed, to: `${name}@people.example` })
  await system.sender.run()
  await system.put({ ...changed, to: 'waiting@people.example' })
  const before = new Date(system.clock.now().getTime() + 1000)
  t.is(await deleteExpired(system.db, finishedMail, new Date(0), 10), 0)
  t.deepEqual(
    [
      await deleteExpired(system.db, finishedMail, before, 2),
      await deleteExpired(system.db, finishedMail, before, 2),
    ],
    [2, 1],
  )
  t.deepEqual(
    (await system.rows()).map(({ recipient }) => recipient),
    ['waiting@people.example'],
  )
})
