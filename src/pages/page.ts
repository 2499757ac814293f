import { asProblem, Problem } from '../api/problem.ts'
import type { Context, Middleware } from '../http/context.ts'
import type { ErrorFormat, Refusal } from '../http/error-boundary.ts'
import { escapeHtml } from '../mail/layout.ts'

/** No scripts and nothing inline: a page can load its stylesheet and post its form. */
export const pagePolicy =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const style = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 28rem; padding: 2rem 1rem }
h1 { font-size: 1.5rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { margin: .25rem 0 1rem; padding: .5rem }
summary { margin: 1rem 0; cursor: pointer }
.wrong { margin: -.5rem 0 1rem; font-weight: bold }
`

export interface Field {
  readonly name: string
  readonly label: string
  readonly type: 'email' | 'password'
  readonly autocomplete: 'current-password' | 'new-password' | 'email'
  /** The error to show below it. */
  readonly wrong?: string | undefined
}

export interface Form {
  readonly token?: string | undefined
  readonly field: Field
  readonly submit: string
}

export interface Page {
  readonly title: string
  readonly text: readonly string[]
  readonly forms?: readonly Form[]
  /** An alternative, folded away unless its form has an error. */
  readonly otherwise?: { readonly summary: string; readonly form: Form }
}

export function send(ctx: Context, status: number, page: Page): void {
  ctx.status = status
  ctx.type = htmlType
  ctx.body = document(page, ctx.path)
}

const htmlType = 'text/html; charset=utf-8'

/** The error format of pages: a page. */
export const pageErrors: ErrorFormat = {
  refusal: (ctx, error) => inPage(asProblem(ctx, error)),
  notFound: () => inPage(new Problem('not-found')),
  wrongMethod: (allow) => inPage(new Problem('method-not-allowed', { headers: { allow } })),
}

function inPage({ status, headers, type, cause }: Problem): Refusal {
  const text = texts[status] ?? 'This request was not accepted. Open the link in your email again.'
  const body = document({ title: 'Something went wrong', text: [text] }, '')
  return { status, headers, type: htmlType, body, code: type, cause }
}

const texts: Readonly<Record<number, string>> = {
  429: 'There were too many attempts. Try again later.',
  500: 'The server met an unexpected condition. Try again later.',
  503: 'The server cannot answer now. Try again in a moment.',
}

export const stylesheet: Middleware = (ctx) => {
  ctx.set('cache-control', 'public, max-age=3600')
  ctx.type = 'text/css; charset=utf-8'
  ctx.body = style
}

const document = ({ title, text, forms = [], otherwise }: Page, path: string): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="pages.css">
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${text.map((one) => `<p>${escapeHtml(one)}</p>`).join('\n')}
${forms.map((one) => formOf(one, path)).join('\n')}
${otherwise ? folded(otherwise, path) : ''}
</main>
</body>
</html>
`

function folded({ summary, form }: Required<Page>['otherwise'], path: string): string {
  const open = form.field.wrong === undefined ? '' : ' open'
  return `<details${open}><summary>${escapeHtml(summary)}</summary>${formOf(form, path)}</details>`
}

function formOf({ token, field, submit }: Form, path: string): string {
  const hidden = token ? `<input type="hidden" name="token" value="${escapeHtml(token)}">` : ''
  return `<form method="post" action="${escapeHtml(path)}">
${hidden}${inputOf(field)}
<button>${escapeHtml(submit)}</button>
</form>`
}

function inputOf({ name, label, type, autocomplete, wrong }: Field): string {
  const invalid = wrong === undefined ? '' : ` aria-invalid="true" aria-describedby="${name}-wrong"`
  const error =
    wrong === undefined
      ? ''
      : `<p class="wrong" role="alert" id="${name}-wrong">${escapeHtml(wrong)}</p>`
  return `<label for="${name}">${escapeHtml(label)}</label>
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" required${invalid}>
${error}`
}
