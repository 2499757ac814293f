import { checked } from '../api/json.ts'
import type { Operation } from '../api/operation.ts'
import { Problem } from '../api/problem.ts'
import type { Context, Middleware } from '../http/context.ts'
import { readForm } from '../http/request-body.ts'
import { type Field, type Form, type Page, send } from './page.ts'

/**
 * The pages that links in mails open when no app has such pages (APP_URL is not set). They call two
 * operations of the JSON API, whose checks and limits apply here too. Opening a link changes nothing, because
 * mail scanners open links; sending the form does.
 */
interface LinkPage {
  readonly show: Middleware
  readonly submit: Middleware
}

interface Dependencies {
  readonly operations: readonly Operation[]
  readonly origin: string
}

interface Wording {
  readonly operation: string
  readonly done: Page
  readonly sent: Page
  /** The page of a link. `wrong` has a sentence for each field that is wrong. */
  page(token: string, wrong: Record<string, string>): Page
  /** The page without a link, or with one that is no longer valid. */
  ask(text: string, wrong?: string): Page
}

const password = (label: string, wrong?: string): Field => ({
  name: 'password',
  label,
  type: 'password',
  autocomplete: 'current-password',
  wrong,
})

const newPassword = (wrong?: string): Field => ({
  name: 'new_password',
  label: 'New password',
  type: 'password',
  autocomplete: 'new-password',
  wrong,
})

const byMail = (wrong?: string): Form => ({
  field: { name: 'email', label: 'Email address', type: 'email', autocomplete: 'email', wrong },
  submit: 'Send a link',
})

const sent: Page = {
  title: 'Check your inbox',
  text: ['If there is an account with this address, a new link is on its way to it.'],
}

const verification: Wording = {
  operation: '/api/v1/auth/email/verification',
  sent,
  done: { title: 'Your email address is confirmed', text: ['You can close this page.'] },
  page: (token, wrong) => ({
    title: 'Confirm your email address',
    text: ['Enter the password of your account to confirm that this address is yours.'],
    forms: [{ token, field: password('Password', wrong.password), submit: 'Confirm' }],
    otherwise: {
      summary: 'I did not choose a password, or I forgot it',
      form: { token, field: newPassword(wrong.new_password), submit: 'Set password and confirm' },
    },
  }),
  ask: (text, wrong) => ({
    title: 'Confirm your email address',
    text: [text, 'Enter your address to get a new link.'],
    forms: [byMail(wrong)],
  }),
}

const reset: Wording = {
  operation: '/api/v1/auth/password/reset',
  sent,
  done: {
    title: 'Your password is changed',
    text: ['All sessions have ended. Sign in with the new password.'],
  },
  page: (token, wrong) => ({
    title: 'Choose a new password',
    text: ['The password must be at least 8 characters long. All sessions will end.'],
    forms: [{ token, field: newPassword(wrong.new_password), submit: 'Change password' }],
  }),
  ask: (text, wrong) => ({
    title: 'Reset your password',
    text: [text, 'Enter the address of your account to get a link.'],
    forms: [byMail(wrong)],
  }),
}

export const verifyEmail = (deps: Dependencies): LinkPage => linkPage(deps, verification)
export const resetPassword = (deps: Dependencies): LinkPage => linkPage(deps, reset)

function linkPage({ operations, origin }: Dependencies, wording: Wording): LinkPage {
  const named = (step: string) => operations.find(({ path }) => path === wording.operation + step)
  const request = named('/request')
  const confirm = named('/confirm')
  return {
    show(ctx) {
      const query = new URLSearchParams(ctx.querystring)
      const token = query.get('token')
      if (query.has('done')) return send(ctx, 200, wording.done)
      if (query.has('sent')) return send(ctx, 200, wording.sent)
      if (token) return send(ctx, 200, wording.page(token, {}))
      send(ctx, 200, wording.ask('Open this page with the link in your email.'))
    },
    async submit(ctx) {
      let fields: Record<string, string> = {}
      try {
        sameOrigin(ctx, origin)
        fields = await readForm(ctx)
        const isRequest = fields.email !== undefined
        await run(isRequest ? request : confirm, fields, ctx)
        ctx.status = 303
        ctx.set('location', `${ctx.path}?${isRequest ? 'sent' : 'done'}`)
      } catch (error) {
        const again = error instanceof Problem && formAgain(error, wording, fields)
        if (!again) throw error
        ctx.state.facts.error = error.type
        send(ctx, ...again)
      }
    },
  }
}

/** Calls the operation as if the fields had come as JSON, with its schema and its limits. */
async function run(
  one: Operation | undefined,
  fields: Record<string, string>,
  ctx: Context,
): Promise<void> {
  if (!one?.body) throw new Error('the operation of this page does not exist')
  await one.handle({
    body: checked(one.body, fields),
    form: undefined,
    query: undefined,
    path: undefined,
    person: undefined as never,
    ip: ctx.state.ip,
    userAgent: ctx.get('user-agent') || undefined,
    ctx,
  })
}

/** The page with its form again, where sending it once more can help. */
function formAgain(
  { type, status, errors }: Problem,
  wording: Wording,
  { token }: Record<string, string>,
): [status: number, page: Page] | undefined {
  const wrong = Object.fromEntries(
    errors.map(({ pointer, detail }) => [pointer.slice(1), sentence(pointer, detail)]),
  )
  if (wrong.email) return [422, wording.ask('The address was not accepted.', wrong.email)]
  if (type === 'unusable-token' || wrong.token || (!token && status === 422)) {
    return [400, wording.ask('This link is no longer valid.')]
  }
  return status === 422 && token ? [422, wording.page(token, wrong)] : undefined
}

/** The messages of a schema are for programs; these are for people. */
function sentence(pointer: string, detail: string): string {
  if (pointer === '/email') return 'This is not an email address.'
  return /^(Invalid|Too)/.test(detail) ? 'Enter a password.' : detail
}

/**
 * ASVS 3.5.1. Pages with `Referrer-Policy: no-referrer` post with `Origin: null`, so Sec-Fetch-Site decides; a
 * browser without it sends one of these origins. These pages use no cookies.
 */
function sameOrigin(ctx: Context, own: string): void {
  const site = ctx.get('sec-fetch-site')
  const isOwn = site === '' ? ['', 'null', own].includes(ctx.get('origin')) : site === 'same-origin'
  if (!isOwn) throw new Problem('foreign-origin')
}
