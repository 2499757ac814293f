import test from 'ava'
import { deleteExpired } from '../../src/stores/delete-expired.ts'
import { expiredOneTimeTokens } from '../../src/tokens/one-time-tokens.ts'
import { openMailSystem, until } from '../support/mail/mail-system.ts'
import { startMailbox } from '../support/mail/mailbox.ts'

const reset = { purpose: 'password_reset', seconds: 3600 } as const

test('ASVS 6.5.1: a link in a mail → works once', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const ada = await system.person()
  await system.put({ template: 'reset_password', ...ada })
  await system.sender.run()
  const token = mailbox.mails[0]?.token ?? ''
  t.regex(token, /^sot_[\w-]{43}$/, '256 bits')
  t.is(mailbox.mails[0]?.link, `https://app.example/reset-password#token=${token}`)
  const presented = { purpose: 'password_reset', token } as const
  const holder = { userId: ada.userId, email: ada.to }
  t.like(await system.oneTimeTokens.peek(system.db, presented), holder)
  t.deepEqual(await system.oneTimeTokens.spend(system.db, presented), holder)
  t.is(await system.oneTimeTokens.spend(system.db, presented), undefined)
  t.is(await system.oneTimeTokens.peek(system.db, presented), undefined)
})

test('ASVS 2.3.4: 20 concurrent uses of one token → exactly one succeeds, in each of 20 rounds', async (t) => {
  const system = await openMailSystem(t, {})
  const { userId, to: email } = await system.person()
  const warm = Array.from({ length: 20 }, () => system.db.raw('SELECT pg_sleep(0.05)'))
  await Promise.all(warm)
  for (let round = 0; round < 20; round += 1) {
    const token = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
    const racers = Array.from({ length: 20 }, () =>
      system.oneTimeTokens.spend(system.db, { ...reset, token }),
    )
    const winners = (await Promise.all(racers)).filter((holder) => holder !== undefined)
    t.deepEqual(winners, [{ userId, email }])
  }
})

test('a rolled-back transaction → its link is not spent', async (t) => {
  const system = await openMailSystem(t, {})
  const { userId, to: email } = await system.person()
  const token = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
  const broken = system.db.transaction(async (trx) => {
    t.truthy(await system.oneTimeTokens.spend(trx, { ...reset, token }))
    throw new Error('the password is refused')
  })
  await t.throwsAsync(broken)
  t.truthy(await system.oneTimeTokens.spend(system.db, { ...reset, token }))
})

test('ASVS 6.6.2: a token → valid only for its purpose, in its time, and until a newer one', async (t) => {
  const system = await openMailSystem(t, {})
  const { userId, to: email } = await system.person()
  const spend = (purpose: 'email_verification' | 'password_reset', token: string) =>
    system.oneTimeTokens.spend(system.db, { purpose, token })
  const older = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
  t.is(await spend('email_verification', older), undefined)
  const newer = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
  t.not(newer, older)
  t.is(await spend('password_reset', older), undefined)
  system.clock.advance({ minutes: 59 })
  t.truthy(await spend('password_reset', newer))
  const late = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
  system.clock.advance({ minutes: 61 })
  t.is(await spend('password_reset', late), undefined)
  t.is(await spend('password_reset', `${late}\0`), undefined)
  t.is(await deleteExpired(system.db, expiredOneTimeTokens, system.clock.now(), 10), 1)
})

test('a withdrawn token → invalid', async (t) => {
  const system = await openMailSystem(t, {})
  const { userId, to: email } = await system.person()
  const token = await system.oneTimeTokens.issue(system.db, { ...reset, userId, email })
  await system.oneTimeTokens.withdraw(system.db, userId, 'email_verification')
  t.truthy(await system.oneTimeTokens.peek(system.db, { ...reset, token }))
  await system.oneTimeTokens.withdraw(system.db, userId, 'password_reset')
  t.is(await system.oneTimeTokens.spend(system.db, { ...reset, token }), undefined)
})

test('ASVS 6.5.2: mails with any outcome → no token in a table or the log', async (t) => {
  const replies = ['taken', 'refused', 'quoted']
  const mailbox = await startMailbox(t, {
    async onStep(step) {
      if (step !== 'taken') return
      const [mail] = mailbox.mails.slice(-1)
      const reply = replies[mailbox.mails.length - 1]
      if (reply === 'refused') throw Object.assign(new Error('later'), { responseCode: 451 })
      // Content filters often quote the link that they reject.
      const quote = `5.7.1 spam: ${mail?.link} ${mail?.token?.slice(4)}`
      if (reply === 'quoted') throw Object.assign(new Error(quote), { responseCode: 554 })
    },
  })
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  for (const reply of replies) {
    await system.put({ template: 'verify_email', ...(await system.person({ username: reply })) })
    await system.sender.run()
  }
  await until(() => mailbox.mails.length === 3)
  const dump = await everything(system.db)
  t.regex(dump, /password_hash|outgoing_mail|DATA: 554 5\.7\.1/)
  t.regex(system.logged.join(''), /mail sent.*mail not accepted.*mail given up/s)
  for (const { token = '' } of mailbox.mails) {
    const bits = token.slice(4)
    const hex = Buffer.from(bits, 'base64url').toString('hex')
    for (const secret of [bits, hex, bits.slice(0, 20)]) {
      t.false(dump.includes(secret))
      t.false(system.logged.join('').includes(secret))
    }
  }
})

async function everything(db: Awaited<ReturnType<typeof openMailSystem>>['db']): Promise<string> {
  const tables: { name: string }[] = await db('information_schema.tables')
    .where({ table_schema: 'public' })
    .select('table_name as name')
  const rows = tables.map(async ({ name }) => {
    const found = await db.raw('SELECT t::text AS row FROM ?? t', [name])
    return [name, ...found.rows.map(({ row }: { row: string }) => row)]
  })
  return (await Promise.all(rows)).flat().join('\n')
}
