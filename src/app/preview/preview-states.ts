import { goodToken } from './sample-services.ts'

/** How a page is brought into a state that looks different from others. */
export interface PreviewState {
  /** Absent: the page as it opens. */
  readonly state?: string
  readonly query?: Readonly<Record<string, string>>
  /** A form that is sent to it. */
  readonly form?: Readonly<Record<string, string>>
  readonly isSignedIn?: boolean
  /** The expected status, if it is not 200. */
  readonly status?: number
}

/** Routes of the pages that show none, and why. */
export const shownByNone: readonly (readonly [RegExp, why: string])[] = [
  [/^\/assets\//, 'stylesheets, scripts and images'],
  [/^\/oauth\/sign-out$/, 'leads to /sign-out'],
  [/^\/\.well-known\/change-password$/, 'leads to /account/password'],
]

const signInForm = { username: 'grace', password: 'wrong', attempt: goodToken }

/**
 * The states of routes that have more than one, or that need a query. Every other route of the pages is
 * opened as it is: a new page is in the preview without being listed here.
 */
export const previewStates: Readonly<Record<string, readonly PreviewState[]>> = {
  '/': [{}, { state: 'signed in', isSignedIn: true }],
  '/sign-in': [
    { query: { request: 'sign-in' } },
    { state: 'wrong password', form: { request: 'sign-in', ...signInForm }, status: 422 },
    { state: 'without an app' },
  ],
  '/reauthenticate': [{ query: { request: 'reauthenticate' }, isSignedIn: true }],
  '/register': [
    { query: { request: 'register' } },
    { state: 'wrong fields', form: { request: 'register', email: 'grace' }, status: 422 },
  ],
  '/verify-email': [
    { state: 'code', query: { waiting: goodToken, request: 'verify-email' } },
    {
      state: 'wrong code',
      form: { waiting: goodToken, request: 'verify-email', code: 'AAAA-AAAA' },
      status: 422,
    },
    { state: 'link', query: { token: goodToken } },
    { state: 'new link' },
    { state: 'done', query: { done: '' } },
  ],
  '/forgot-password': [{ query: { request: 'sign-in' } }, { state: 'sent', query: { sent: '' } }],
  '/reset-password': [
    { state: 'link', query: { token: goodToken } },
    { state: 'link too old', query: { token: 'spent' } },
    { state: 'done', query: { done: '' } },
  ],
  '/secure-account': [
    { state: 'link', query: { token: goodToken } },
    { state: 'link too old', query: { token: 'spent' } },
    { state: 'done', query: { done: '' } },
  ],
  '/new-password': [{ query: { pending: goodToken, request: 'new-password' } }],
  '/choose-account': [{ query: { request: 'choose-account' }, isSignedIn: true }],
  '/consent': [{ query: { request: 'consent' }, isSignedIn: true }],
  '/continue': [{ query: { request: 'continue' }, isSignedIn: true }],
  '/sign-out': [{ query: { client_id: 'shop' }, isSignedIn: true }],
  '/oauth/authorize': [{ state: 'unknown app', query: { client_id: 'nobody' }, status: 400 }],
  '/account/confirm': [{ query: { page: 'delete' }, isSignedIn: true }],
  '/account/api-keys/new': [
    { isSignedIn: true },
    {
      state: 'created',
      form: { name: 'Backup script', 'scope:orders:read': 'on', days: '90', chosen: goodToken },
      isSignedIn: true,
    },
  ],
}

/** A page of the account is that of somebody who is signed in. */
export const usualStates = (route: string): readonly PreviewState[] => [
  { isSignedIn: route.startsWith('/account') && route !== '/account/deleted' },
]
