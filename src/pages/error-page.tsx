import { asProblem, Problem } from '../api/problem.ts'
import type { Context } from '../http/context.ts'
import { type ErrorFormat, oauthErrors, type Refusal } from '../http/error-boundary.ts'
import { OAuthError } from '../oauth/error.ts'
import { withParameters } from '../oauth/redirect-uri.ts'
import { clientName } from './client-name.ts'
import { htmlOf } from './document.ts'
import { Layout } from './elements/layout.tsx'
import { languageFor } from './language-for.ts'
import type { Messages } from './languages/en.ts'
import type { Theme } from './theme/theme.ts'

interface ErrorPages {
  readonly issuer: string
  /** The path of the issuer; empty at the root. */
  readonly path: string
  readonly theme: Theme
}

/** The error format of pages: a page with a way on. */
export const pageErrors = (pages: ErrorPages): ErrorFormat => ({
  refusal: (ctx, error) => inPage(pages, ctx, error),
  notFound: (ctx) => inPage(pages, ctx, new Problem('not-found')),
  wrongMethod: (allow, ctx) =>
    inPage(pages, ctx, new Problem('method-not-allowed', { headers: { allow } })),
})

/** The errors of addresses at which nothing is: a page for browsers, JSON for programs. */
export const siteErrors = (pages: ErrorPages): ErrorFormat => ({
  ...oauthErrors,
  notFound: (ctx) =>
    ctx.accepts('json', 'html') === 'html'
      ? inPage(pages, ctx, new Problem('not-found'))
      : oauthErrors.notFound(ctx),
})

function inPage({ issuer, path, theme }: ErrorPages, ctx: Context, error: unknown): Refusal {
  ctx.state.theme = theme
  const refusal = error instanceof OAuthError ? refusalOf(error) : asProblem(ctx, error)
  const { status, headers, type, cause, message: sentence } = refusal
  const { client, sealedRequest, uiLocales } = ctx.state
  const language = languageFor(ctx, uiLocales)
  const { messages } = language
  const ways = [
    waySame(ctx, status, messages),
    sealedRequest && {
      href: `${path}/sign-in?request=${sealedRequest}`,
      text: messages.continue,
    },
    wayToClient(issuer, client, messages),
    { href: `${path}/`, text: messages.toStart },
  ].filter((way) => typeof way === 'object')
  const title = status === 404 ? messages.notFoundTitle : messages.errorTitle
  const body = htmlOf(
    ctx,
    <Layout
      language={language}
      path={path}
      title={title}
      lead={textOf(status, type, headers, messages)}
    >
      {ways.map(({ href, text }, at) => (
        <a key={href} class={at === 0 ? 'button' : 'button secondary'} href={href}>
          {text}
        </a>
      ))}
      <p class="hint">{messages.requestNumber(ctx.state.requestId)}</p>
    </Layout>,
  )
  const html = 'text/html; charset=utf-8'
  return { status, headers, type: html, body, code: type, cause, sentence }
}

interface Way {
  readonly href: string
  readonly text: string
}

/** The same page again, where that can help. */
function waySame(ctx: Context, status: number, messages: Messages): Way | undefined {
  const canRetry = status === 429 || status >= 500
  return canRetry && ctx.method === 'GET' && !ctx.url.startsWith('//')
    ? { href: ctx.url, text: messages.tryAgain }
    : undefined
}

/** OpenID Connect Core §4: the client begins a sign-in of its own. */
function wayToClient(
  issuer: string,
  client: Context['state']['client'] | undefined,
  messages: Messages,
): Way | undefined {
  const { initiateLoginUri, clientUri } = client ?? {}
  const text = client ? messages.startAgainAt(clientName(client)) : ''
  if (initiateLoginUri) return { href: withParameters(initiateLoginUri, { iss: issuer }), text }
  return clientUri ? { href: clientUri, text } : undefined
}

const refusalOf = ({ status, headers, code, cause, message }: OAuthError) => ({
  message,
  status,
  headers,
  type: cause === 'redirect_uri is not registered' ? 'redirect-uri' : code,
  cause,
})

function textOf(
  status: number,
  type: string,
  headers: Readonly<Record<string, string>>,
  messages: Messages,
): string {
  if (type === 'invalid_client') return messages.errorUnknownClient
  if (type === 'redirect-uri') return messages.errorRedirect
  if (type === 'foreign-origin') return messages.errorOrigin
  if (status === 404) return messages.errorNotFound
  if (status === 429) {
    const minutes = Math.ceil(Number(headers['retry-after'] ?? 60) / 60)
    return `${messages.errorTooMany} ${messages.errorTooManyUntil(minutes)}`
  }
  if (status === 503) return messages.errorUnavailable
  return status >= 500 ? messages.errorServer : messages.errorRequest
}
