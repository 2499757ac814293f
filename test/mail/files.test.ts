import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import PostalMime from 'postal-mime'
import { openMailRoom } from '../support/mail/mail-room.ts'

async function openRoom(t: ExecutionContext) {
  const directory = join(await mkdtemp(join(tmpdir(), 'signet-mail-')), 'data', 'outbox')
  return { directory, room: await openMailRoom(t, { directory }) }
}

test('no SMTP_URL → mails are files that only their owner can read, named in the log', async (t) => {
  const { directory, room } = await openRoom(t)
  await room.put({ template: 'verify_email', ...(await room.person()) })
  await room.sender.run()
  const [name = '', ...others] = await readdir(directory)
  const [row] = await room.rows()
  t.deepEqual(others, [])
  t.is(name, `${row.created_at.toISOString().replaceAll(':', '-')}-${row.id}.eml`)
  t.is((await stat(join(directory, name))).mode & 0o777, 0o600)
  t.is((await stat(directory)).mode & 0o777, 0o700)
  const source = await readFile(join(directory, name))
  const mail = await PostalMime.parse(source)
  t.deepEqual(mail.to, [{ name: '', address: row.recipient }])
  t.regex(mail.text ?? '', /https:\/\/app\.example\/verify-email#token=sot_[\w-]{43}\n/)
  t.regex(mail.html ?? '', /href="https:\/\/app\.example\/verify-email#token=sot_/)
  t.false(/[^\r]\n/.test(source.toString('latin1')), 'lines end as RFC 5322 wants')
  const log = room.logged.join('')
  t.true(log.includes(join(directory, name)))
  t.notRegex(log, /sot_|@|verify-email#/)
})

test('mails in files → sorted by time, and a repeated mail replaces its file', async (t) => {
  const { directory, room } = await openRoom(t)
  for (const name of ['a', 'b', 'c']) {
    await room.put({ template: 'username_taken', to: `${name}@people.example` })
    room.clock.advance({ minutes: 1 })
  }
  await room.sender.run()
  await room.db('outgoing_mail').update({ sent_at: null })
  room.clock.advance({ minutes: 10 })
  await room.sender.run()
  const names = (await readdir(directory)).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  t.deepEqual(
    texts.map((text) => /^To: (\S+)/m.exec(text)?.[1]),
    ['a', 'b', 'c'].map((name) => `${name}@people.example`),
  )
})

test('a folder that cannot be written → the mail keeps waiting', async (t) => {
  const file = join(await mkdtemp(join(tmpdir(), 'signet-mail-')), 'a-file')
  await writeFile(file, '')
  const room = await openMailRoom(t, { directory: join(file, 'outbox') })
  await room.put({ template: 'username_taken', to: 'ada@people.example' })
  await room.sender.run()
  t.like((await room.rows())[0], { sent_at: null, given_up_at: null, attempts: 1 })
  t.regex((await room.rows())[0].last_error, /^(EEXIST|ENOTDIR)/)
})
