import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import PostalMime from 'postal-mime'
import { openMailSystem } from '../support/mail/mail-system.ts'

async function openSystem(t: ExecutionContext) {
  const directory = join(await mkdtemp(join(tmpdir(), 'signet-mail-')), 'data', 'outbox')
  return { directory, system: await openMailSystem(t, { directory }) }
}

test('no SMTP_URL → mails are files that only their owner can read, named in the log', async (t) => {
  const { directory, system } = await openSystem(t)
  await system.put({ template: 'verify_email', ...(await system.person()) })
  await system.sender.run()
  const [name = '', ...others] = await readdir(directory)
  const [row] = await system.rows()
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
  const log = system.logged.join('')
  t.true(log.includes(join(directory, name)))
  t.notRegex(log, /sot_|@|verify-email#/)
})

test('mails in files → sorted by time, and a repeated mail replaces its file', async (t) => {
  const { directory, system } = await openSystem(t)
  for (const name of ['a', 'b', 'c']) {
    await system.put({ template: 'username_taken', to: `${name}@people.example` })
    system.clock.advance({ minutes: 1 })
  }
  await system.sender.run()
  await system.db('outgoing_mail').update({ sent_at: null })
  system.clock.advance({ minutes: 10 })
  await system.sender.run()
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
  const system = await openMailSystem(t, { directory: join(file, 'outbox') })
  await system.put({ template: 'username_taken', to: 'ada@people.example' })
  await system.sender.run()
  t.like((await system.rows())[0], { sent_at: null, given_up_at: null, attempts: 1 })
  t.regex((await system.rows())[0].last_error, /^(EEXIST|ENOTDIR)/)
})
