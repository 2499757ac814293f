import type { Middleware } from '../http/context.ts'
import { setCookie } from '../http/cookies.ts'
import { closestLanguage } from '../languages.ts'
import { languageCookie } from './languages/languages.ts'

const yearSeconds = 31_536_000

/** Keeps the language that was chosen at the foot of a page, and shows that page again in it. */
export const languageChoice: Middleware = async (ctx, next) => {
  const query = new URLSearchParams(ctx.querystring)
  const code = ctx.method === 'GET' ? closestLanguage(query.get('lang') ?? '') : undefined
  if (code === undefined) return next()
  query.delete('lang')
  const options = { path: '/', maxAgeSeconds: yearSeconds, sameSite: 'Lax' } as const
  ctx.append('set-cookie', setCookie(languageCookie, code, options))
  ctx.body = null
  ctx.status = 303
  ctx.set('location', query.size === 0 ? ctx.path : `${ctx.path}?${query}`)
}
