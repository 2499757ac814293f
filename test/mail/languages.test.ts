import test from 'ava'
import { directionOf, languageCodes } from '../../src/languages.ts'
import { mailTexts } from '../../src/mail/languages/texts.ts'
import type { MailData, MailTemplate } from '../../src/mail/outbox.ts'
import { render, templateNames } from '../../src/mail/templates.ts'
import { prepareLink } from '../../src/tokens/mail-links.ts'
import { appUrl, linkKey, openMailSystem } from '../support/mail/mail-system.ts'
import { startMailbox } from '../support/mail/mailbox.ts'
import { startMailedServer } from '../support/mail/mailed-server.ts'
import { accountApi, addPerson, goodPassword } from '../support/people/account-api.ts'

const at = new Date('2026-11-21T10:15:30Z')
const token = 'sot_the-token'
const code = 'ABCD2345'
const data: MailData = {
  ip: '203.0.113.7',
  username: 'jr.ewing',
  newEmail: 'bernadette@new.example',
  keyName: 'Backups',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  app: 'Shop',
}
const withToken: readonly MailTemplate[] = ['verify_email', 'reset_password', 'new_sign_in']

const rendered = (template: MailTemplate, locale: string, more: MailData = {}) =>
  render(template, {
    appUrl,
    at,
    data: { ...data, ...more, locale },
    token: withToken.includes(template) ? token : undefined,
    code: template === 'verify_email' ? code : undefined,
  })

const count = (text: string, piece: string) => text.split(piece).length - 1

/** The English sentences that do not depend on the facts. */
const englishSentences = Object.values(mailTexts.en)
  .flatMap((text) => (typeof text === 'object' ? Object.values(text) : []))
  .filter((text) => typeof text === 'string' && text.length > 10)

for (const locale of languageCodes) {
  test(`${locale}: every mail → whole, in one language, with its link and code once`, (t) => {
    const dir = directionOf(locale)
    const subjects = new Set<string>()
    for (const template of templateNames()) {
      const { subject, text, html } = rendered(template, locale)
      subjects.add(subject)
      t.true(html.includes(`<html lang="${locale}" dir="${dir}">`), template)
      t.notRegex(subject + text + html, /undefined|null|\[object|\$\{|NaN/, template)
      t.true(text.includes('203.0.113.7') && text.includes('2026'), template)
      t.true(subject.includes('app.example') && text.includes('app.example'), template)
      t.is(count(text, token), withToken.includes(template) ? 1 : 0, template)
      t.is(count(html, `>${appUrl}/`), count(html, '<a '), template)
      const isCoded = template === 'verify_email'
      t.is(count(text, '\n\nABCD-2345\n\n'), isCoded ? 1 : 0)
      t.is(count(html, '<span dir="ltr">ABCD-2345</span>'), isCoded ? 1 : 0)
      for (const [, link] of text.matchAll(/(\S*https:\S*)/g)) {
        t.true(link?.startsWith(`${appUrl}/`), 'a link stands alone')
        t.true(text.includes(`\n\n${link}\n`), 'on a line of its own')
      }
      if (locale === 'en') continue
      for (const sentence of englishSentences) t.false(text.includes(String(sentence)), template)
      t.not(subject, rendered(template, 'en').subject)
    }
    t.is(subjects.size, templateNames().length)
  })

  test(`${locale}: facts that are not safe to show → left out, and the sentence stays whole`, (t) => {
    for (const nasty of [
      'https://evil.example/',
      'a\r\nBcc: b@evil.example',
      '<script>alert(1)</script>\u2069',
      '\u202eevil@evil.example',
    ]) {
      const facts = {
        ip: nasty,
        username: nasty,
        newEmail: `\u2068${nasty}`,
        keyName: nasty,
        app: nasty,
        userAgent: `${nasty}/1.0 (${nasty}; ${nasty})`,
      }
      for (const template of templateNames()) {
        const { subject, text, html } = rendered(template, locale, facts)
        t.notRegex(subject + text + html, /evil|<script|Bcc|\u202e|undefined|null/, template)
        t.is(count(html, '<bdi>'), count(html, '</bdi>'))
        for (const [, url] of html.matchAll(/href="([^"]*)"/g)) t.true(url?.startsWith(appUrl))
      }
    }
  })

  test(`${locale}: a name with markup → escaped, between the quotation marks of the language`, (t) => {
    const username = '<b onload="x">&\''
    const { html, text } = rendered('username_taken', locale, { username })
    const [opening, closing] = mailTexts[locale].quotes
    const bare = text.replace(/[\u2068\u2069]/g, '')
    t.true(bare.includes(`${opening}${username}${closing}`), bare)
    t.true(html.includes('&lt;b onload=&quot;x&quot;&gt;&amp;&#39;'))
    t.notRegex(html, /<b /)
  })
}

test('Arabic → names and addresses are isolated, and every sentence begins with its letters', (t) => {
  for (const template of templateNames()) {
    const { subject, text, html } = rendered(template, 'ar')
    t.notRegex(subject, /[\u2068\u2069]/)
    t.is(count(text, '\u2068'), count(text, '\u2069'))
    t.true(text.includes('\u2068203.0.113.7\u2069'))
    t.true(html.includes('<bdi>203.0.113.7</bdi>') && html.includes('<bdi>app.example</bdi>'))
    t.notRegex(html, /[\u2068\u2069]|<a (?![^>]*dir="ltr")/)
    for (const line of text.trim().split('\n\n')) {
      t.regex(line, /^(\p{Script=Arabic}|https:\/\/app\.example\/|ABCD-2345$)/u, template)
    }
  }
  t.notRegex(rendered('reset_password', 'de').text, /[\u2068\u2069]/)
})

test('times → in the words of the language', (t) => {
  const timeIn = (locale: string) => rendered('account_deleted', locale).text
  t.regex(timeIn('en'), /on 21 November 2026 at 10:15 UTC/)
  t.regex(timeIn('de'), /am 21\. November 2026 um 10:15 UTC/)
  t.regex(timeIn('fr'), /le 21 novembre 2026 à 10:15 UTC/)
  t.regex(timeIn('es'), /el 21 de noviembre de 2026 a las 10:15 UTC/)
  t.regex(timeIn('pt-BR'), /em 21 de novembro de 2026 às 10:15 UTC/)
  t.regex(timeIn('ja'), /^2026年11月21日 10:15 UTC に/)
  t.regex(timeIn('ar'), /بتاريخ 21 نوفمبر 2026 في 10:15/)
})

test('a tag with a region, an unknown one, and none → the closest language, or English', (t) => {
  const langOf = (locale: string | undefined) =>
    /lang="(.*?)"/.exec(render('account_deleted', { appUrl, at, data: { locale } }).html)?.[1]
  t.is(langOf('de-AT'), 'de')
  t.is(langOf('pt'), 'pt-BR')
  t.is(langOf('tlh'), 'en')
  // A row of the release before has none.
  t.is(langOf(undefined), 'en')
})

test('RFC 2047: a subject beyond ASCII → encoded on the wire, and read as it was written', async (t) => {
  const mailbox = await startMailbox(t)
  const system = await openMailSystem(t, { smtpUrl: mailbox.url })
  for (const locale of languageCodes) {
    const { userId, to } = await system.person({ locale })
    const template = 'password_changed'
    await system.put({ template, to, userId, data: { ip: '203.0.113.7' } })
    await system.sender.run()
    const mail = mailbox.mails.at(-1)
    const row = (await system.rows()).at(-1)
    const expected = render(template, {
      appUrl,
      at: row.created_at,
      data: { ip: '203.0.113.7', locale },
    })
    t.is(mail?.subject, expected.subject)
    t.is(mail?.text?.trim(), expected.text.trim())
    t.is(mail?.html?.trim(), expected.html.trim())
    const headers = mail?.raw.split('\r\n\r\n')[0] ?? ''
    t.true(/^[\x20-\x7e\r\n\t]*$/.test(headers), headers)
  }
})

test('a mail to a person → in their language, otherwise in that of the page that caused it', async (t) => {
  const system = await openMailSystem(t, {})
  const chosen = await system.person({ locale: 'ja' })
  const undecided = await system.person()
  const template = 'password_changed'
  await system.put({ template, ...chosen, data: { locale: 'fr' } })
  await system.put({ template, ...undecided, data: { locale: 'fr' } })
  await system.put({ template, ...undecided })
  await system.put({ template: 'username_taken', to: 'new@people.example', data: { locale: 'es' } })
  const locales = (await system.rows()).map(({ data }) => data.locale)
  t.deepEqual(locales.sort(), ['es', 'fr', 'ja', undefined])
})

test('a change to an address of somebody else → their mail is in their language', async (t) => {
  const system = await openMailSystem(t, {})
  const asking = await system.person({ locale: 'fr' })
  const owner = await system.person({ locale: 'de' })
  await system.put({ template: 'verify_email', userId: asking.userId, to: owner.to })
  const { oneTimeTokens } = system
  const claim = await system.sender.queue.claim((trx, mail) =>
    prepareLink(trx, mail, { oneTimeTokens, linkKey }),
  )
  t.like(claim?.prepared, { template: 'registration_attempt', locale: 'de' })
})

test('a person who reads German → the German reset mail; a reminder is German, too', async (t) => {
  const { server, mailbox, to } = await startMailedServer(t)
  const email = 'greta@people.example'
  await addPerson(server, 'greta', { email, locale: 'de-AT', emailVerified: true })
  const api = accountApi(server)
  const asked = await api.post('password/reset/request', { email })
  t.is(asked.status, 202)
  await mailbox.wait(1)
  const [mail] = to(email)
  t.is(mail?.subject, `Setzen Sie Ihr Passwort für ${new URL(server.url).host} zurück`)
  t.regex(mail?.text ?? '', /Um ein neues Passwort zu wählen, öffnen Sie diesen Link/)
  await addPerson(server, 'hans', { locale: 'de', emailVerified: false })
  const refused = await api.post('login', { username: 'hans', password: goodPassword })
  t.is(refused.status, 401)
  await mailbox.wait(2)
  t.regex(to('hans@people.example')[0]?.subject ?? '', /^Bestätigen Sie Ihre E-Mail-Adresse/)
})
