import { v7 as uuidv7 } from 'uuid'
import type { Client } from '../clients/client.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { isCodeChallenge } from '../oauth/pkce.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope, offlineAccess, openId } from '../oauth/scope.ts'
import { claimNames } from '../users/person-claims.ts'

/** `prompt`: OpenID Connect Core §3.1.2.1, Initiating User Registration 1.0. */
export const prompts = ['none', 'login', 'consent', 'select_account', 'create'] as const
type Prompt = (typeof prompts)[number]

export const responseModes = ['query', 'form_post'] as const
export type ResponseMode = (typeof responseModes)[number]

/** Names of claims that are asked for one by one: OpenID Connect Core §5.5. */
export interface RequestedClaims {
  readonly userinfo?: readonly string[]
  readonly id_token?: readonly string[]
}

/** A validated authorization request. It travels sealed in URLs and forms, and nothing of it is stored. */
export interface AuthorizationRequest {
  /** Names this request in the session and the log. */
  readonly id: string
  readonly clientId: string
  readonly redirectUri: string
  readonly responseMode: ResponseMode
  readonly state?: string | undefined
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly codeChallenge?: string | undefined
  readonly nonce?: string | undefined
  readonly prompt: readonly Prompt[]
  /** Seconds; null unless the request says it. */
  readonly maxAge: number | null
  readonly loginHint?: string | undefined
  /** The `sub` of `id_token_hint`, or the one that `claims` asks for. */
  readonly hintedSubject?: string | undefined
  readonly claims?: RequestedClaims | undefined
  /** Values of `acr` of which the token must have one. */
  readonly essentialAcr?: readonly string[] | undefined
  /** BCP 47, most preferred first. */
  readonly uiLocales: readonly string[]
}

/** The members that errors are sent back with. */
export type ReturnAddress = Pick<AuthorizationRequest, 'redirectUri' | 'responseMode' | 'state'>

interface Context {
  readonly client: Client
  readonly redirectUri: string
  readonly issuer: string
  /** @returns the `sub` of an ID token of this server, expired or not; undefined for any other text */
  readonly subjectOf: (idToken: string) => Promise<string | undefined>
}

const longest: Readonly<Record<string, number>> = {
  state: 2048,
  nonce: 512,
  login_hint: 320,
  claims: 4096,
  ui_locales: 200,
}

/**
 * Checks the parameters of a request whose client and redirect URI are known to be right.
 * @throws OAuthError for the redirect: RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6
 */
export async function readAuthorizationRequest(
  params: Params,
  context: Context,
): Promise<AuthorizationRequest> {
  const { client, redirectUri, issuer } = context
  refuseUnsupported(params)
  checkResponseType(params, client)
  for (const [name, most] of Object.entries(longest)) {
    if ((params.get(name) ?? '').length > most)
      throw invalid(`${name} is longer than ${most} characters`)
  }
  const scope = narrowScope(params.get('scope'), client.scopes, client.defaultScopes)
  const prompt = promptOf(params)
  const claims = claimsOf(params)
  const hintedSubject = await hintedSubjectOf(params, context)
  if (hintedSubject && claims?.subject && hintedSubject !== claims.subject) {
    throw invalid('id_token_hint and claims name different people')
  }
  return {
    id: uuidv7(),
    clientId: client.id,
    redirectUri,
    responseMode: responseModeOf(params),
    state: params.get('state'),
    scope,
    audience: audienceOf(params, client, scope, issuer),
    codeChallenge: codeChallengeOf(params, client),
    nonce: params.get('nonce'),
    prompt,
    maxAge: maxAgeOf(params),
    loginHint: params.get('login_hint'),
    hintedSubject: hintedSubject ?? claims?.subject,
    claims: claims?.names,
    essentialAcr: claims?.essentialAcr,
    uiLocales: params.get('ui_locales')?.split(' ').slice(0, 10) ?? [],
  }
}

/** @throws OAuthError `invalid_request` */
export function responseModeOf(params: Params): ResponseMode {
  const mode = params.get('response_mode') ?? 'query'
  const known = responseModes.find((one) => one === mode)
  if (!known) throw invalid(`response_mode must be one of ${responseModes.join(', ')}`)
  return known
}

function refuseUnsupported(params: Params): void {
  if (params.has('request')) {
    throw new OAuthError('request_not_supported', 'request objects are not supported')
  }
  if (params.has('request_uri')) {
    throw new OAuthError('request_uri_not_supported', 'request_uri is not supported')
  }
  if (params.has('registration')) {
    throw new OAuthError('registration_not_supported', 'registration is not supported')
  }
}

function checkResponseType(params: Params, client: Client): void {
  const type = params.require('response_type')
  if (type !== 'code') {
    throw new OAuthError('unsupported_response_type', 'the only supported response_type is code')
  }
  if (!client.grantTypes.includes('authorization_code')) {
    throw new OAuthError('unauthorized_client', 'this client is not allowed to use this grant type')
  }
}

function promptOf(params: Params): Prompt[] {
  const values = new Set((params.get('prompt') ?? '').split(' ').filter((text) => text !== ''))
  const known = prompts.filter((one) => values.has(one))
  if (known.length !== values.size) throw invalid(`prompt must be among ${prompts.join(', ')}`)
  if (known.includes('none') && known.length > 1) {
    throw invalid('prompt=none cannot be combined with other values')
  }
  return known
}

function maxAgeOf(params: Params): number | null {
  const text = params.get('max_age')
  if (text === undefined) return null
  if (!/^\d{1,9}$/.test(text)) throw invalid('max_age must be a number of seconds')
  return Number(text)
}

/** RFC 7636 §4.3; `plain` would not protect a code from who has read the request (RFC 9700 §2.1.1). */
function codeChallengeOf(params: Params, client: Client): string | undefined {
  const challenge = params.get('code_challenge')
  const method = params.get('code_challenge_method')
  if (challenge === undefined) {
    if (method !== undefined) throw invalid('code_challenge is missing')
    if (client.requirePkce) throw invalid('code_challenge is missing: this client must use PKCE')
    return undefined
  }
  if (method !== 'S256') throw invalid('code_challenge_method must be S256')
  if (!isCodeChallenge(challenge)) throw invalid('code_challenge is not a SHA-256 in base64url')
  return challenge
}

/**
 * Without `resource`, a token of a sign-in with OpenID Connect also opens userinfo, whose audience is the
 * issuer. With it, the token is for that resource alone, which cannot read claims with it.
 */
function audienceOf(
  params: Params,
  client: Client,
  scope: readonly string[],
  issuer: string,
): string[] {
  const isOpenId = scope.includes(openId)
  const chosen = chooseAudience(params, isOpenId ? [...client.audiences, issuer] : client.audiences)
  const hasChosen = params.has('resource') || params.has('audience')
  return isOpenId && !hasChosen ? [...new Set([...chosen, issuer])] : chosen
}

async function hintedSubjectOf(
  params: Params,
  { subjectOf }: Context,
): Promise<string | undefined> {
  const hint = params.get('id_token_hint')
  if (hint === undefined) return undefined
  const subject = await subjectOf(hint)
  if (subject === undefined) throw invalid('id_token_hint is not an ID token of this server')
  return subject
}

/** OpenID Connect Core §5.5: claims are named, alone or as essential or with values. */
function claimsOf(params: Params) {
  const text = params.get('claims')
  if (text === undefined) return undefined
  const requested = parseObject(text)
  const names = (member: string) => {
    const one = requested[member]
    if (one === undefined || one === null) return undefined
    if (typeof one !== 'object' || Array.isArray(one))
      throw invalid(`claims.${member} is no object`)
    // Others are ignored (§5.5), so that only known text is stored.
    return claimNames.filter((name) => Object.hasOwn(one, name))
  }
  const known = { userinfo: names('userinfo') ?? [], id_token: names('id_token') ?? [] }
  const idToken = (requested.id_token ?? {}) as Record<string, unknown>
  return {
    names: known,
    essentialAcr: essentialAcrOf(idToken.acr),
    subject: subjectOf(idToken.sub),
  }
}

/** §5.5.1: a request may name the person whom it is for. */
function subjectOf(sub: unknown): string | undefined {
  const value = (sub as { value?: unknown } | null | undefined)?.value
  return typeof value === 'string' ? value : undefined
}

function essentialAcrOf(acr: unknown): string[] | undefined {
  if (typeof acr !== 'object' || acr === null) return undefined
  const { essential, value, values } = acr as Record<string, unknown>
  const wanted = [value, ...(Array.isArray(values) ? values : [])]
  const named = wanted.filter((one): one is string => typeof one === 'string').slice(0, 10)
  return essential === true && named.length > 0 ? named : undefined
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>
    }
  } catch {
    // Answered below.
  }
  throw invalid('claims is not a JSON object')
}

const invalid = (description: string) => new OAuthError('invalid_request', description)

/** A session of a third-party client with offline access goes on when the browser signs out. */
export const outlivesBrowser = (client: Client, scope: readonly string[]): boolean =>
  !client.firstParty && scope.includes(offlineAccess)
