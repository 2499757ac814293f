import { asProblem, Problem } from '../api/problem.ts'
import type { Context } from '../http/context.ts'
import type { ErrorFormat, Refusal } from '../http/error-boundary.ts'
import { OAuthError } from '../oauth/error.ts'
import { htmlOf } from './document.ts'
import { Layout } from './elements/layout.tsx'
import type { Messages } from './languages/en.ts'
import { languageFor } from './languages/languages.ts'

/** The error format of pages: a page with a way on. */
export const pageErrors = (path: string): ErrorFormat => ({
  refusal: (ctx, error) => inPage(path, ctx, error),
  notFound: (ctx) => inPage(path, ctx, new Problem('not-found')),
  wrongMethod: (allow, ctx) =>
    inPage(path, ctx, new Problem('method-not-allowed', { headers: { allow } })),
})

function inPage(path: string, ctx: Context, error: unknown): Refusal {
  const { status, headers, type, cause } =
    error instanceof OAuthError ? { ...refusalOf(error) } : asProblem(ctx, error)
  const language = languageFor(ctx)
  const { messages } = language
  const canRetry = ctx.method === 'GET' && (status === 429 || status >= 500)
  const body = htmlOf(
    <Layout language={language} path={path} title={messages.errorTitle}>
      <p>{textOf(status, type, messages)}</p>
      {canRetry && (
        <p>
          <a class="button" href={ctx.url}>
            {messages.tryAgain}
          </a>
        </p>
      )}
      <p>
        <a href={`${path}/`}>{messages.toAccount}</a>
      </p>
      <p class="hint">{messages.requestNumber(ctx.state.requestId)}</p>
    </Layout>,
  )
  return { status, headers, type: 'text/html; charset=utf-8', body, code: type, cause }
}

const refusalOf = ({ status, headers, code, cause }: OAuthError) => ({
  status,
  headers,
  type: cause === 'redirect_uri is not registered' ? 'redirect-uri' : code,
  cause,
})

function textOf(status: number, type: string, messages: Messages): string {
  if (type === 'invalid_client') return messages.errorUnknownClient
  if (type === 'redirect-uri') return messages.errorRedirect
  if (type === 'foreign-origin') return messages.errorOrigin
  if (status === 404) return messages.errorNotFound
  if (status === 429) return messages.errorTooMany
  if (status === 503) return messages.errorUnavailable
  return status >= 500 ? messages.errorServer : messages.errorRequest
}
