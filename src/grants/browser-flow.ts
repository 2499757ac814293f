import {
  type AuthorizationRequest,
  outlivesBrowser,
  type ReturnAddress,
  readAuthorizationRequest,
} from '../authentication/authorization-request.ts'
import { type FlowPage, next, type Step } from '../authentication/next.ts'
import type { SealedValues } from '../authentication/sealed-values.ts'
import { type Client, skipsConsent } from '../clients/client.ts'
import type { Clients } from '../clients/clients.ts'
import type { Now } from '../clock.ts'
import type { Consents } from '../consents/consents.ts'
import { foldIdentifier } from '../identifier.ts'
import { OAuthError, type OAuthErrorCode } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { isRegistered } from '../oauth/redirect-uri.ts'
import type { AuthorizationCodes } from '../sessions/authorization-codes.ts'
import type { BrowserSessions, SignedInBrowser } from '../sessions/browser-sessions.ts'
import type { IdTokens } from '../tokens/id-tokens.ts'
import type { User } from '../users/user.ts'
import type { Users } from '../users/users.ts'
import { getsRefreshToken } from './session-tokens.ts'

/** Pages for a person whose identity is settled. */
const afterChoice: readonly FlowPage[] = ['verify-email', 'consent', 'continue']

interface Dependencies {
  readonly clients: Clients
  readonly users: Users
  readonly consents: Consents
  readonly browsers: BrowserSessions
  readonly codes: AuthorizationCodes
  readonly idTokens: IdTokens
  readonly sealed: SealedValues
  readonly issuer: string
  readonly now: Now
}

/** An authorization request and its client, checked again at each step, because clients change. */
export interface Flow {
  readonly request: AuthorizationRequest
  readonly client: Client
  /** The request as it travels in URLs and forms. */
  readonly sealed: string
}

/** A request that has not been on a page. Most need none, so it is sealed only for one. */
export type NewFlow = Pick<Flow, 'request' | 'client'>

/** Parameters for a client, and how a browser takes them there. */
export interface ClientAnswer {
  readonly redirectUri: string
  readonly responseMode: 'query' | 'form_post'
  readonly parameters: Readonly<Record<string, string>>
}

/** A page that was left open longer begins anew, at the client. */
const requestSeconds = 30 * 86_400

/** Authorization requests on their way through the pages: what comes next, and what the client is told. */
export class BrowserFlow {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Validates an authorization request.
   * @throws OAuthError that the client is told, by redirect
   */
  async start(params: Params, client: Client, redirectUri: string): Promise<NewFlow> {
    const { idTokens, issuer, sealed } = this.#deps
    const request = await readAuthorizationRequest(params, {
      client,
      redirectUri,
      issuer,
      subjectOf: async (hint) => (await idTokens.readHint(hint))?.sub,
    })
    if (!sealed.fits(request)) {
      throw new OAuthError('invalid_request', 'the authorization request is too long')
    }
    return { request, client }
  }

  /** The request as it travels through the pages. */
  seal({ request }: NewFlow): Promise<string> {
    return this.#deps.sealed.seal('request', request)
  }

  /** Opens a sealed request. undefined: it is not ours, or its client may not ask for this any more. */
  async open(sealedRequest: string | undefined): Promise<Flow | undefined> {
    const { sealed, clients, issuer } = this.#deps
    const request = await sealed.open<AuthorizationRequest>(
      'request',
      sealedRequest,
      requestSeconds,
    )
    const client = request && (await clients.find(request.clientId))?.client
    if (!client || !sealedRequest || !isStillAllowed(request, client, issuer)) return undefined
    return { request, client, sealed: sealedRequest }
  }

  /** The live browser session of a cookie. */
  async browserOf(cookie: string | undefined): Promise<SignedInBrowser | undefined> {
    return cookie === undefined ? undefined : this.#deps.browsers.find(cookie)
  }

  /** The person of a browser session. */
  userOf({ session }: SignedInBrowser): Promise<User | undefined> {
    return this.#deps.users.find(session.userId)
  }

  /** Decides what comes next for a request. */
  async stepOf({ request, client }: NewFlow, browser: SignedInBrowser | undefined): Promise<Step> {
    const { consents, now } = this.#deps
    const asksConsent = browser && !skipsConsent(client)
    const consent = asksConsent && (await consents.find(browser.session.userId, client))
    return next({
      request,
      client,
      browser,
      isHintedPerson: browser === undefined || (await this.#isHinted(request, browser)),
      consented: consent ? consent.scopes : [],
      now: now(),
    })
  }

  /** False if the request names another person than the one who is signed in. */
  isHinted({ request }: Flow, browser: SignedInBrowser): Promise<boolean> {
    return this.#isHinted(request, browser)
  }

  /** The scopes that the person has allowed this client before. */
  async consentedScopes(
    { client }: Flow,
    { session }: SignedInBrowser,
  ): Promise<readonly string[]> {
    const consent = await this.#deps.consents.find(session.userId, client)
    return consent?.scopes ?? []
  }

  /**
   * The person goes on with the account that is signed in: `prompt=select_account` is satisfied, and no other
   * prompt is.
   * @returns the page on which they have to prove who they are first
   */
  async choose(flow: Flow, browser: SignedInBrowser): Promise<FlowPage | undefined> {
    const { request } = flow
    if (!request.prompt.includes('select_account')) return undefined
    const prompt = request.prompt.filter((one) => one !== 'select_account')
    const step = await this.stepOf({ ...flow, request: { ...request, prompt } }, browser)
    if (step.kind === 'page' && !afterChoice.includes(step.page)) return step.page
    await this.#deps.browsers.choose(browser, request.id)
    return undefined
  }

  async #isHinted(request: AuthorizationRequest, { session }: SignedInBrowser): Promise<boolean> {
    const { hintedSubject, loginHint } = request
    if (hintedSubject !== undefined && hintedSubject !== session.userId) return false
    const isSettled = session.authenticatedFor === request.id || session.chosenFor === request.id
    if (loginHint === undefined || isSettled) return true
    const user = await this.#deps.users.find(session.userId)
    const hinted = foldIdentifier(loginHint)
    const names = [user?.username, user?.email].filter((name) => typeof name === 'string')
    return names.some((name) => foldIdentifier(name) === hinted)
  }

  /**
   * The answer to the client, with a code: RFC 6749 §4.1.2.
   * @param wasAsked true if a page was shown for the request: then it is answered once
   * @returns undefined if the browser has signed out or the request was answered already
   */
  async answer(
    { request, client }: NewFlow,
    { session }: SignedInBrowser,
    wasAsked = false,
  ): Promise<ClientAnswer | undefined> {
    const code = await this.#deps.codes.write({
      browserSessionId: session.id,
      clientId: client.id,
      redirectUri: request.redirectUri,
      codeChallenge: request.codeChallenge,
      nonce: request.nonce,
      scope: request.scope,
      audience: request.audience,
      claims: request.claims,
      hasRefreshToken: getsRefreshToken(client, request.scope),
      outlivesBrowser: outlivesBrowser(client, request.scope),
      answers: wasAsked ? request.id : undefined,
    })
    return code === undefined ? undefined : this.#answerOf(request, { code })
  }

  /**
   * The person allows the client what it asks for.
   * @returns undefined if another page comes first: a form that is sent by hand skips no step
   */
  async allow(flow: Flow, browser: SignedInBrowser, ip: string): Promise<ClientAnswer | undefined> {
    const { request, client } = flow
    const step = await this.stepOf(flow, browser)
    if (step.kind === 'error' || (step.kind === 'page' && step.page !== 'consent')) return undefined
    const { userId } = browser.session
    await this.#deps.consents.allow({ userId, client, scopes: request.scope, ip })
    return this.answer(flow, browser, true)
  }

  /** An error that the client is told: RFC 6749 §4.1.2.1. `iss` says who answers: RFC 9207 §2. */
  refuse(to: ReturnAddress, error: OAuthErrorCode, description: string): ClientAnswer {
    const { error_description } = new OAuthError(error, description).toJSON()
    return this.#answerOf(to, { error, error_description })
  }

  #answerOf(
    { redirectUri, responseMode, state }: ReturnAddress,
    parameters: Readonly<Record<string, string>>,
  ): ClientAnswer {
    const { issuer } = this.#deps
    return {
      redirectUri,
      responseMode,
      parameters: { ...parameters, ...(state !== undefined && { state }), iss: issuer },
    }
  }
}

/** The request is valid for the settings that its client has now: a redirect URI may have been removed. */
const isStillAllowed = (
  { redirectUri, scope, audience, codeChallenge }: AuthorizationRequest,
  client: Client,
  issuer: string,
): boolean =>
  client.grantTypes.includes('authorization_code') &&
  isRegistered(redirectUri, client.redirectUris) &&
  scope.every((one) => client.scopes.includes(one)) &&
  audience.every((one) => one === issuer || client.audiences.includes(one)) &&
  (codeChallenge !== undefined || !client.requirePkce)
