import { type Client, skipsConsent } from '../clients/client.ts'
import { secondsBetween } from '../clock.ts'
import { isLoopback, isPrivateScheme } from '../oauth/redirect-uri.ts'
import type { SignedInBrowser } from '../sessions/browser-sessions.ts'
import type { AuthorizationRequest } from './authorization-request.ts'

/** The error codes of a request that may show no page: OpenID Connect Core §3.1.2.6. */
export type InteractionError =
  | 'login_required'
  | 'consent_required'
  | 'interaction_required'
  | 'account_selection_required'
  | 'unmet_authentication_requirements'

/** The page that a person sees next. */
export type FlowPage =
  | 'sign-in'
  | 'register'
  | 'choose-account'
  | 'reauthenticate'
  | 'new-password'
  | 'verify-email'
  | 'consent'
  /** The request was answered: the person goes on at the client. */
  | 'continue'

export type Step =
  | { readonly kind: 'answer' }
  | { readonly kind: 'error'; readonly error: InteractionError }
  | { readonly kind: 'page'; readonly page: FlowPage }

/** Where a person stands, recomputed at each step. */
export interface Standing {
  readonly request: AuthorizationRequest
  readonly client: Client
  readonly browser: SignedInBrowser | undefined
  /** False if `login_hint` or `id_token_hint` names another person than the one who is signed in. */
  readonly isHintedPerson: boolean
  /** The scopes that the person has allowed this client. */
  readonly consented: readonly string[]
  readonly now: Date
}

/** The levels of `acr`, in order; each satisfies those before it. */
export const acrLevels: readonly string[] = ['urn:signet:acr:one']

/**
 * Decides what follows for an authorization request: an answer to the client, or a page. The only place that
 * weighs prompt, max_age, acr, consent and the state of the account (OpenID Connect Core §3.1.2.3). With
 * `prompt=none` an error takes the place of the page.
 */
export function next(standing: Standing): Step {
  const { request } = standing
  const found = pageFor(standing)
  if (!found) return { kind: 'answer' }
  const [page, error] = found
  if (error === 'unmet_authentication_requirements') return { kind: 'error', error }
  return request.prompt.includes('none') ? { kind: 'error', error } : { kind: 'page', page }
}

function pageFor(standing: Standing): readonly [FlowPage, InteractionError] | undefined {
  const { request, browser } = standing
  if (!browser) {
    return request.prompt.includes('create')
      ? ['register', 'login_required']
      : ['sign-in', 'login_required']
  }
  if (browser.session.answered.includes(request.id)) return ['continue', 'interaction_required']
  return (
    pageByPrompt(request, browser) ??
    pageByPerson(standing, browser) ??
    pageByAuthentication(standing, browser) ??
    (mustAskConsent(standing) ? ['consent', 'consent_required'] : undefined)
  )
}

/** Satisfied by the authentication that was made for this request, not by comparing clocks. */
function pageByPrompt(
  { prompt, id }: AuthorizationRequest,
  { session }: SignedInBrowser,
): readonly [FlowPage, InteractionError] | undefined {
  if (session.authenticatedFor === id) return undefined
  if (prompt.includes('create')) return ['register', 'login_required']
  if (prompt.includes('select_account') && session.chosenFor !== id) {
    return ['choose-account', 'account_selection_required']
  }
  return prompt.includes('login') ? ['reauthenticate', 'login_required'] : undefined
}

function pageByPerson(
  { isHintedPerson, client }: Standing,
  { mustChangePassword, isUnverified }: SignedInBrowser,
): readonly [FlowPage, InteractionError] | undefined {
  if (!isHintedPerson) return ['sign-in', 'login_required']
  if (mustChangePassword) return ['new-password', 'interaction_required']
  if (isUnverified && !client.letsUnverifiedIn) return ['verify-email', 'interaction_required']
  return undefined
}

function pageByAuthentication(
  { request, client, now }: Standing,
  { session }: SignedInBrowser,
): readonly [FlowPage, InteractionError] | undefined {
  const maxAge = request.maxAge ?? client.defaultMaxAge
  const isOld = maxAge !== null && secondsBetween(session.authTime, now) > maxAge
  if ((isOld || maxAge === 0) && session.authenticatedFor !== request.id) {
    return ['reauthenticate', 'login_required']
  }
  const essential = request.essentialAcr
  if (essential && !essential.some((acr) => satisfies(session.acr, acr))) {
    return ['reauthenticate', 'unmet_authentication_requirements']
  }
  return undefined
}

const satisfies = (acr: string, wanted: string): boolean =>
  acrLevels.includes(wanted) && acrLevels.indexOf(acr) >= acrLevels.indexOf(wanted)

/**
 * A redirect to a loopback address or a private scheme reaches whichever program listens there. If that
 * program could also redeem the code, because its client has no secret, people are asked each time, also for
 * an app of the house: RFC 8252 §8.6, ASVS 10.7.1.
 */
function mustAskConsent({ request, client, consented }: Standing): boolean {
  if (request.prompt.includes('consent') || !isAssured(request, client)) return true
  if (skipsConsent(client)) return false
  return client.consent === 'always' || !request.scope.every((scope) => consented.includes(scope))
}

const isAssured = ({ redirectUri }: AuthorizationRequest, client: Client): boolean =>
  client.authenticationMethod !== 'none' ||
  !(isPrivateScheme(redirectUri) || isLoopback(new URL(redirectUri)))
