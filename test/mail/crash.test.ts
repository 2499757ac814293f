import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { sendSeconds } from '../../src/mail/transport.ts'
import { openMailSystem } from '../support/mail/mail-system.ts'
import { startMailbox } from '../support/mail/mailbox.ts'

const program = fileURLToPath(new URL('../support/mail/sender-process.js', import.meta.url))

/** A sender that dies by kill -9 at a step of its first conversation, and what another one does then. */
async function crashAt(t: ExecutionContext, fatal: 'recipient' | 'taken') {
  let child: ChildProcess | undefined
  const mailbox = await startMailbox(t, {
    async onStep(step) {
      if (step !== fatal || !child) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
      child = undefined
    },
  })
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const ada = await system.person()
  await system.put({ template: 'reset_password', ...ada })
  child = spawn(process.execPath, [program, system.databaseUrl, mailbox.url], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => child?.kill('SIGKILL'))
  await once(child, 'exit')
  const before = mailbox.mails.length
  await system.sender.run()
  t.is(mailbox.mails.length, before, 'the lease of the dead is respected')
  const [row] = await system.rows()
  t.like(row, { attempts: 1, sent_at: null })
  const leaseSeconds = (row.next_attempt_at - row.created_at) / 1000
  t.true(leaseSeconds > sendSeconds, 'no other sender begins before a slow one has ended')
  system.clock.advance({ seconds: 121 })
  await system.sender.run()
  system.clock.advance({ days: 1 })
  await system.sender.run()
  t.truthy((await system.rows())[0].sent_at)
  return { mailbox, system }
}

test('a sender killed between claim and sending → the mail arrives later, exactly once', async (t) => {
  const { mailbox } = await crashAt(t, 'recipient')
  t.is(mailbox.mails.length, 1)
})

test('a sender killed after the server accepted the mail → the repeat has the same id and link', async (t) => {
  const { mailbox, system } = await crashAt(t, 'taken')
  const [first, repeat] = mailbox.mails
  t.is(mailbox.mails.length, 2)
  t.is(first?.messageId, repeat?.messageId)
  t.is(first?.token, repeat?.token)
  t.is(first?.text, repeat?.text)
  const presented = { purpose: 'password_reset', token: first?.token ?? '' } as const
  system.clock.advance({ days: -1 })
  t.truthy(await system.oneTimeTokens.spend(system.db, presented))
  t.is(await system.oneTimeTokens.spend(system.db, presented), undefined)
})
