import test from 'ava'
import type { AuthorizationRequest } from '../../src/authentication/authorization-request.ts'
import { next, type Standing, type Step } from '../../src/authentication/next.ts'
import type { Client } from '../../src/clients/client.ts'
import type { SignedInBrowser } from '../../src/sessions/browser-sessions.ts'

const now = new Date('2026-11-30T12:00:00Z')
const secondsAgo = (seconds: number) => new Date(now.getTime() - seconds * 1000)
const one = 'urn:signet:acr:one'
const requestId = '01900000-0000-7000-8000-000000000001'
const otherRequest = '01900000-0000-7000-8000-000000000002'

interface Row {
  readonly title: string
  readonly request?: Partial<AuthorizationRequest>
  readonly client?: Partial<Client>
  /** null: nobody is signed in. */
  readonly session?: Partial<SignedInBrowser['session']> | null
  readonly person?: Partial<Omit<SignedInBrowser, 'session'>>
  readonly isHintedPerson?: boolean
  readonly consented?: readonly string[]
  /** The page, or undefined for an answer. */
  readonly page?: string
  /** The error with `prompt=none`. */
  readonly silently?: string
  /** The error in both cases, because no page can help. */
  readonly always?: string
}

function standingOf(row: Row, prompts: readonly string[]): Standing {
  const request = {
    id: requestId,
    clientId: 'web',
    redirectUri: 'https://web.example/callback',
    responseMode: 'query',
    scope: ['openid', 'profile'],
    audience: [],
    maxAge: null,
    uiLocales: [],
    ...row.request,
    prompt: [...(row.request?.prompt ?? []), ...prompts],
  } as AuthorizationRequest
  const client = {
    id: 'web',
    authenticationMethod: 'client_secret_basic',
    firstParty: false,
    consent: 'remember',
    defaultMaxAge: null,
    letsUnverifiedIn: false,
    ...row.client,
  } as Client
  const browser = {
    mustChangePassword: false,
    isUnverified: false,
    passwordChangedAt: secondsAgo(100_000),
    ...row.person,
    session: {
      userId: 'u',
      authTime: secondsAgo(100),
      acr: one,
      authenticatedFor: null,
      chosenFor: null,
      answered: [],
      ...row.session,
    },
  } as unknown as SignedInBrowser
  return {
    request,
    client,
    browser: row.session === null ? undefined : browser,
    isHintedPerson: row.isHintedPerson ?? true,
    consented: row.consented ?? ['openid', 'profile'],
    now,
  }
}

const answer: Step = { kind: 'answer' }
const page = (name: string) => ({ kind: 'page', page: name })
const error = (code: string) => ({ kind: 'error', error: code })

const loopback = { redirectUri: 'http://127.0.0.1:7000/cb' }
const privateScheme = { redirectUri: 'com.example.app:/cb' }
const isPublic = { authenticationMethod: 'none' } as const
const house = { firstParty: true, consent: 'skip' } as const

const rows: readonly Row[] = [
  // Row 1: who is there.
  { title: 'nobody is signed in', session: null, page: 'sign-in', silently: 'login_required' },
  { title: 'somebody is signed in and has allowed it' },
  {
    title: 'create, nobody is signed in',
    request: { prompt: ['create'] },
    session: null,
    page: 'register',
  },
  { title: 'create, somebody is signed in', request: { prompt: ['create'] }, page: 'register' },
  {
    title: 'create, has registered for this request',
    request: { prompt: ['create'] },
    session: { authenticatedFor: requestId },
  },
  { title: 'login', request: { prompt: ['login'] }, page: 'reauthenticate' },
  {
    title: 'login, signed in a second ago for another request',
    request: { prompt: ['login'] },
    session: { authTime: secondsAgo(1), authenticatedFor: otherRequest },
    page: 'reauthenticate',
  },
  {
    title: 'login, authenticated for this request, an hour ago',
    request: { prompt: ['login'] },
    session: { authTime: secondsAgo(3600), authenticatedFor: requestId },
  },
  { title: 'select_account', request: { prompt: ['select_account'] }, page: 'choose-account' },
  {
    title: 'select_account, chosen for this request',
    request: { prompt: ['select_account'] },
    session: { chosenFor: requestId },
  },
  {
    title: 'select_account, chosen for another request',
    request: { prompt: ['select_account'] },
    session: { chosenFor: otherRequest },
    page: 'choose-account',
  },
  {
    title: 'select_account, authenticated for this request',
    request: { prompt: ['select_account'] },
    session: { authenticatedFor: requestId },
  },
  {
    title: 'select_account and login, only chosen',
    request: { prompt: ['select_account', 'login'] },
    session: { chosenFor: requestId },
    page: 'reauthenticate',
  },
  {
    title: 'select_account, chosen, then max_age is passed',
    request: { prompt: ['select_account'], maxAge: 99 },
    session: { chosenFor: requestId },
    page: 'reauthenticate',
  },
  {
    title: 'select_account, chosen, max_age is not passed',
    request: { prompt: ['select_account'], maxAge: 100 },
    session: { chosenFor: requestId },
  },
  {
    title: 'login and consent: first the login',
    request: { prompt: ['login', 'consent'] },
    page: 'reauthenticate',
  },
  // Row 2: another person is expected.
  {
    title: 'a hint names another person',
    isHintedPerson: false,
    page: 'sign-in',
    silently: 'login_required',
  },
  { title: 'a hint names this person', isHintedPerson: true },
  // Row 3: the account.
  {
    title: 'the password must change',
    person: { mustChangePassword: true },
    page: 'new-password',
    silently: 'interaction_required',
  },
  {
    title: 'the address is not verified',
    person: { isUnverified: true },
    page: 'verify-email',
    silently: 'interaction_required',
  },
  {
    title: 'the address is not verified, and the client lets such people in',
    person: { isUnverified: true },
    client: { letsUnverifiedIn: true },
  },
  // Row 4: how long ago.
  { title: 'max_age is not passed', request: { maxAge: 100 } },
  {
    title: 'max_age is passed',
    request: { maxAge: 99 },
    page: 'reauthenticate',
    silently: 'login_required',
  },
  {
    title: 'max_age is passed, but authenticated for this request',
    request: { maxAge: 99 },
    session: { authenticatedFor: requestId },
  },
  {
    title: 'max_age=0, authenticated in this moment',
    request: { maxAge: 0 },
    session: { authTime: now },
    page: 'reauthenticate',
    silently: 'login_required',
  },
  {
    title: 'max_age=0, authenticated for this request',
    request: { maxAge: 0 },
    session: { authenticatedFor: requestId },
  },
  {
    title: 'the max_age of the client is passed',
    client: { defaultMaxAge: 99 },
    page: 'reauthenticate',
    silently: 'login_required',
  },
  {
    title: 'the max_age of the request replaces that of the client',
    request: { maxAge: 100 },
    client: { defaultMaxAge: 9 },
  },
  // Row 5: how surely.
  { title: 'an essential acr that the session has', request: { essentialAcr: ['urn:other', one] } },
  {
    title: 'an essential acr that nobody can reach',
    request: { essentialAcr: ['urn:other'] },
    always: 'unmet_authentication_requirements',
  },
  // Row 6: consent.
  { title: 'nothing was allowed', consented: [], page: 'consent', silently: 'consent_required' },
  {
    title: 'one scope is new',
    consented: ['openid'],
    page: 'consent',
    silently: 'consent_required',
  },
  { title: 'more was allowed', consented: ['email', 'openid', 'profile'] },
  { title: 'prompt=consent', request: { prompt: ['consent'] }, page: 'consent' },
  {
    title: 'the client asks always',
    client: { consent: 'always' },
    page: 'consent',
    silently: 'consent_required',
  },
  { title: 'an app of the house', client: house, consented: [] },
  {
    title: 'prompt=consent for an app of the house',
    client: house,
    request: { prompt: ['consent'] },
    page: 'consent',
  },
  {
    title: 'skip for a client that is not of the house',
    client: { ...house, firstParty: false },
    consented: [],
    page: 'consent',
    silently: 'consent_required',
  },
  {
    title: 'of the house, but not skipped',
    client: { ...house, consent: 'remember' },
    consented: [],
    page: 'consent',
    silently: 'consent_required',
  },
  // RFC 8252 §8.6.
  {
    title: 'loopback without a secret',
    request: loopback,
    client: isPublic,
    page: 'consent',
    silently: 'consent_required',
  },
  {
    title: 'a private scheme without a secret',
    request: privateScheme,
    client: isPublic,
    page: 'consent',
    silently: 'consent_required',
  },
  {
    title: 'loopback without a secret, an app of the house',
    request: loopback,
    client: { ...house, ...isPublic },
    page: 'consent',
    silently: 'consent_required',
  },
  { title: 'loopback with a secret', request: loopback },
  { title: 'https without a secret', client: isPublic },
  // The request was answered.
  {
    title: 'answered already',
    session: { answered: [otherRequest, requestId] },
    page: 'continue',
    silently: 'interaction_required',
  },
  { title: 'another request was answered', session: { answered: [otherRequest] } },
]

for (const row of rows) {
  const outcome = row.always ?? row.page ?? 'an answer'
  test(`${row.title} → ${outcome}`, (t) => {
    const expected = row.always ? error(row.always) : row.page ? page(row.page) : answer
    t.deepEqual(next(standingOf(row, [])), expected as Step)
  })
  // Other values of prompt cannot be combined with `none`.
  if (row.request?.prompt) continue
  test(`OIDC Core §3.1.2.6: ${row.title}, prompt=none → ${row.always ?? row.silently ?? outcome}`, (t) => {
    const code = row.always ?? row.silently
    t.deepEqual(next(standingOf(row, ['none'])), (code ? error(code) : answer) as Step)
  })
}

test('the first condition that holds decides: the order of OIDC Core §3.1.2.3', (t) => {
  const all: Row = {
    title: 'all at once',
    request: { prompt: ['login', 'consent'], maxAge: 0 },
    isHintedPerson: false,
    person: { mustChangePassword: true, isUnverified: true },
    consented: [],
  }
  const settled = { session: { authenticatedFor: requestId } }
  const order: [Partial<Row>, string][] = [
    [{}, 'reauthenticate'],
    [settled, 'sign-in'],
    [{ ...settled, isHintedPerson: true }, 'new-password'],
    [{ ...settled, isHintedPerson: true, person: { isUnverified: true } }, 'verify-email'],
    [{ ...settled, isHintedPerson: true, person: {} }, 'consent'],
  ]
  for (const [change, expected] of order) {
    t.deepEqual(next(standingOf({ ...all, ...change }, [])), page(expected) as Step)
  }
})
