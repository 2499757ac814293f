import type { ClientAnswer } from '../grants/browser-flow.ts'
import type { Context } from '../http/context.ts'
import { formActionSource, withParameters } from '../oauth/redirect-uri.ts'
import { htmlOf } from './document.ts'
import { Stylesheets } from './elements/layout.tsx'
import { languageFor } from './language-for.ts'

/** Takes the browser to the client: by redirect, or with a form (OAuth 2.0 Form Post Response Mode §2). */
export const sendAnswer =
  (path: string) =>
  (ctx: Context, { redirectUri, responseMode, parameters }: ClientAnswer): void => {
    ctx.body = null
    if (responseMode === 'query') {
      // RFC 9700 §4.12: 303, because 307 would send a form on.
      ctx.status = 303
      ctx.set('location', withParameters(redirectUri, parameters))
      return
    }
    const source = formActionSource(redirectUri)
    ctx.set(
      'content-security-policy',
      `default-src 'none'; script-src 'self'; style-src 'self'; form-action ${source}; frame-ancestors 'none'; base-uri 'none'`,
    )
    const language = languageFor(ctx)
    ctx.status = 200
    ctx.type = 'text/html; charset=utf-8'
    ctx.body = htmlOf(
      ctx,
      <html lang={language.code} dir={language.direction}>
        <head>
          <meta charset="utf-8" />
          <title>{language.messages.continue}</title>
          <Stylesheets path={path} />
        </head>
        <body>
          <main class="card">
            <form method="post" action={redirectUri}>
              {Object.entries(parameters).map(([name, value]) => (
                <input type="hidden" key={name} name={name} value={value} />
              ))}
              <button type="submit">{language.messages.continue}</button>
            </form>
          </main>
          <script src={`${path}/assets/submit.js`} />
        </body>
      </html>,
    )
  }
