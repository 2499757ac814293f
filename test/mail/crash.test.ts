import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { sendSeconds } from '../../src/mail/transport.ts'
import { openMailRoom } from '../support/mail/mail-room.ts'
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
  const room = await openMailRoom(t, { smtpUrl: mailbox.url })
  const ada = await room.person()
  await room.put({ template: 'reset_password', ...ada })
  child = spawn(process.execPath, [program, room.databaseUrl, mailbox.url], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => child?.kill('SIGKILL'))
  await once(child, 'exit')
  const before = mailbox.mails.length
  await room.sender.run()
  t.is(mailbox.mails.length, before, 'the lease of the dead is respected')
  const [row] = await room.rows()
  t.like(row, { attempts: 1, sent_at: null })
  const leaseSeconds = (row.next_attempt_at - row.created_at) / 1000
  t.true(leaseSeconds > sendSeconds, 'nobody begins before a slow sender has ended')
  room.clock.advance({ seconds: 121 })
  await room.sender.run()
  room.clock.advance({ days: 1 })
  await room.sender.run()
  t.truthy((await room.rows())[0].sent_at)
  return { mailbox, room }
}

test('a sender killed between claim and sending → the mail arrives later, exactly once', async (t) => {
  const { mailbox } = await crashAt(t, 'recipient')
  t.is(mailbox.mails.length, 1)
})

test('a sender killed after the server accepted the mail → the repeat has the same id and link', async (t) => {
  const { mailbox, room } = await crashAt(t, 'taken')
  const [first, repeat] = mailbox.mails
  t.is(mailbox.mails.length, 2)
  t.is(first?.messageId, repeat?.messageId)
  t.is(first?.token, repeat?.token)
  t.is(first?.text, repeat?.text)
  const presented = { purpose: 'password_reset', token: first?.token ?? '' } as const
  room.clock.advance({ days: -1 })
  t.truthy(await room.oneTimeTokens.spend(room.db, presented))
  t.is(await room.oneTimeTokens.spend(room.db, presented), undefined)
})
