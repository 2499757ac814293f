import test from 'ava'
import type { Mail, MailData } from '../../src/mail/outbox.ts'
import { render, templateNames } from '../../src/mail/templates.ts'
import { openTransport } from '../../src/mail/transport.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { appUrl, openMailSystem } from '../support/mail/mail-system.ts'
import { startMailbox } from '../support/mail/mailbox.ts'

const at = new Date('2026-11-21T10:15:30Z')

for (const template of templateNames()) {
  test(`${template} names the event, its time and origin, and loads no remote content`, (t) => {
    const data = { ip: '2001:db8::7' }
    const { subject, text, html } = render(template, { appUrl, at, data })
    t.regex(text, /on 21 November 2026 at 10:15 UTC, from the network address 2001:db8::7/)
    t.regex(text, /If this wasn't you/)
    t.regex(subject, /^[A-Z][\w .-]{10,70}$/)
    t.notRegex(html, /<(img|link|script|style|iframe|svg|object)|src=|url\(/i)
    for (const [, url] of html.matchAll(/href="([^"]*)"/g)) t.true(url?.startsWith(`${appUrl}/`))
    t.true(html.split('\n').every((line) => line.length < 998))
  })
}

test('a request without a network address → no address in the mail', (t) => {
  for (const ip of [undefined, null, 'evil\r\nBcc: a@b', '<b>1.2.3.4</b>']) {
    const { text, html } = render('password_changed', { appUrl, at, data: { ip } })
    t.regex(text, /was changed on 21 November 2026 at 10:15 UTC\./)
    t.notRegex(html, /evil|1\.2\.3\.4/)
  }
})

test('a name chosen by a stranger → escaped, and never a link in a mailbox', (t) => {
  const named = (username: string) => render('username_taken', { appUrl, at, data: { username } })
  t.regex(named('J.R. “Ada” O’Hara').text, /The username “J\.R\. “Ada” O’Hara” is taken/)
  const { html, text } = named('<b onload="x">&\'')
  t.true(html.includes('“&lt;b onload=&quot;x&quot;&gt;&amp;&#39;”'), html)
  t.true(text.includes('“<b onload="x">&\'”'))
  for (const name of [
    '<script>alert(1)</script>',
    'win-at.evil.example',
    'https://evil',
    'a@b',
    'a\r\nb',
    'x'.repeat(65),
    'a\u202eb',
  ]) {
    const { html, text } = named(name)
    t.regex(text, /The username that was chosen is taken/)
    t.notRegex(html + text, /script|evil|a@b|xxx|\u202e/)
  }
})

test('a mail to the old address → shows the new one only in part', (t) => {
  const tell = (newEmail: string) =>
    render('email_change_requested', { appUrl, at, data: { newEmail } }).text
  t.regex(tell('bernadette@new.example'), /to b…@new\.example on 21/)
  t.regex(tell('<b>@x"y'), /to another address on 21/)
})

const recipients = [
  'victim@people.example, second@people.example',
  'victim@people.example\r\nBcc: second@people.example',
  'victim@people.example>\r\nRCPT TO:<second@people.example',
  'victim@people.example;second@people.example',
  'Ada <second@people.example>',
  '"second@people.example"@people.example',
  'victim@people.example\0',
  'group: second@people.example;',
  'nobody',
]

for (const to of recipients) {
  test(`ASVS 1.3.11: the recipient ${JSON.stringify(to)} → no mail is sent`, async (t) => {
    const mailbox = await startMailbox(t)
    const system = await openMailSystem(t, { smtpUrl: mailbox.url })
    await system.put({ template: 'username_taken', to: to.replace('\0', '\u0001') })
    await system.sender.run()
    t.is(mailbox.mails.length, 0)
    t.like((await system.rows())[0], { last_error: 'the recipient is not an address', attempts: 1 })
    t.truthy((await system.rows())[0].given_up_at)
  })
}

test('ASVS 1.3.11: a recipient with separators → never read as a list by the transport', async (t) => {
  const mailbox = await startMailbox(t)
  const { send } = openTransport({
    ...{ smtpUrl: mailbox.url, from: 'signet@mail.example', issuer: 'https://issuer.example' },
    ...{ directory: '', log: openLog({ level: 'silent', format: 'json' }) },
  })
  const message = { ...render('username_taken', { appUrl, at, data: {} }), createdAt: at }
  for (const end of [', second@people.example', '\r\nBcc: second@people.example', '']) {
    const sending = send({ ...message, id: 'x', to: `one@people.example${end}` })
    await (end === '' ? sending : t.throwsAsync(sending))
  }
  t.deepEqual(
    mailbox.mails.map(({ envelope }) => envelope.to),
    [['one@people.example']],
  )
})

test('ASVS 1.3.11: data with line breaks → no further header or recipient', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  const nasty = 'x\r\nBcc: second@people.example\r\n\r\n.\r\nRCPT TO:<second@people.example>'
  const { userId, to } = await system.person()
  const data: MailData = { ip: nasty, username: nasty, newEmail: nasty }
  for (const template of templateNames()) {
    await system.put({ template, to, userId, data } as Mail)
  }
  await system.sender.run()
  t.is(mailbox.mails.length, templateNames().length)
  const expected = 'auto-submitted content-type date from message-id mime-version subject to'
  for (const { envelope, headers, raw } of mailbox.mails) {
    t.deepEqual(envelope.to, [to])
    t.is(
      headers
        .map(({ key }) => key)
        .sort()
        .join(' '),
      expected,
    )
    t.notRegex(raw, /second/)
  }
})
