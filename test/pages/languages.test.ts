import test from 'ava'
import { closestLanguage, languageCodes, languageNames } from '../../src/languages.ts'
import { en } from '../../src/pages/languages/en.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import { startServer } from '../support/server/start-server.ts'

test('every language → its own texts, with lang and dir', async (t) => {
  const server = await startServer(t)
  const titles = new Set<string>()
  for (const code of languageCodes) {
    const page = await server.request('/sign-in', { headers: { 'accept-language': code } })
    const dir = code === 'ar' ? 'rtl' : 'ltr'
    t.regex(page.text, new RegExp(`<html lang="${code}" dir="${dir}">`))
    titles.add(/<h1>(.*?)<\/h1>/.exec(page.text)?.[1] ?? '')
    for (const name of Object.values(languageNames)) t.true(page.text.includes(name))
  }
  t.is(titles.size, languageCodes.length)
})

test('every text of every language → not empty, and not the English one', async (t) => {
  const samples: Readonly<Record<string, string | number>> = { errorTooManyUntil: 5 }
  const textOf = (key: string, value: unknown): string => {
    if (typeof value === 'function') return value(samples[key] ?? 'sample')
    return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
  const same = new Set(['optional', 'code', 'fullName', 'errorTitle'])
  for (const code of languageCodes) {
    const name = code.toLowerCase()
    const module = await import(`../../src/pages/languages/${name}.ts`)
    const [messages] = Object.values(module) as (typeof en)[]
    for (const [key, value] of Object.entries(en)) {
      const text = textOf(key, messages?.[key as keyof typeof en])
      t.not(text.trim(), '', `${code} ${key}`)
      if (code !== 'en' && !same.has(key)) t.not(text, textOf(key, value), `${code} ${key}`)
      const isNamed = typeof value === 'function' && samples[key] === undefined
      if (isNamed) t.true(text.includes('sample'), `${code} ${key}`)
    }
  }
})

test('the minutes of every language → the right plural', async (t) => {
  const { ar } = await import('../../src/pages/languages/ar.ts')
  t.regex(ar.errorTooManyUntil(2), /دقيقتين/)
  t.regex(ar.errorTooManyUntil(5), /5 دقائق/)
  t.regex(ar.errorTooManyUntil(15), /15 دقيقة/)
})

test('RFC 4647 §3.4: a tag → the language itself, or the one without its region', (t) => {
  t.is(closestLanguage('de-AT'), 'de')
  t.is(closestLanguage('PT-br'), 'pt-BR')
  t.is(closestLanguage('pt'), 'pt-BR')
  t.is(closestLanguage('tlh'), undefined)
  t.is(closestLanguage(''), undefined)
})

test('OIDC Core §3.1.2.1: ui_locales, then the chosen language, then that of the browser', async (t) => {
  const server = await startServer(t)
  await server.services.clients.create({
    id: 'web',
    grantTypes: ['authorization_code'],
    scopes: ['openid'],
    audiences: ['https://orders.example'],
    redirectUris: ['https://web.example/callback'],
    requirePkce: false,
  })
  const browser = new FlowBrowser(server.url)
  const headers = { 'accept-language': 'fr' }
  const langOf = ({ html }: { html: string }) => /<html lang="([^"]+)"/.exec(html)?.[1]
  t.is(langOf(await browser.open('/sign-in', { headers })), 'fr')
  const chosen = await browser.visit('/sign-in?lang=ja', { headers })
  t.is(chosen.status, 303)
  t.is(langOf(await browser.visit(chosen.location, { headers })), 'ja')
  const request = new URLSearchParams({
    client_id: 'web',
    redirect_uri: 'https://web.example/callback',
    response_type: 'code',
    scope: 'openid',
    ui_locales: 'tlh ar de',
  })
  t.is(langOf(await browser.open(`/oauth/authorize?${request}`)), 'ar')
})

test('OIDC Core §3.1.2.1: an error page of /oauth/authorize → in ui_locales, then in that of the browser', async (t) => {
  const server = await startServer(t)
  const headers = { 'accept-language': 'fr' }
  const langOf = async (query: string) => {
    const { text } = await server.request(`/oauth/authorize?client_id=nobody${query}`, { headers })
    return /<html lang="([^"]+)"/.exec(text)?.[1]
  }
  t.is(await langOf('&ui_locales=tlh%20ja%20de'), 'ja')
  t.is(await langOf('&ui_locales=tlh'), 'fr')
  t.is(await langOf(`&ui_locales=${'x'.repeat(3000)}`), 'fr')
  t.is(await langOf(''), 'fr')
})
