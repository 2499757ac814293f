import type { JSONWebKeySet } from 'jose'

/** RFC 7591 §2. `client_secret_basic` clients may also use `client_secret_post`, and the reverse. */
export const authenticationMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const
export type AuthenticationMethod = (typeof authenticationMethods)[number]

export const grantTypes = [
  'password',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
] as const
export type GrantType = (typeof grantTypes)[number]

/** When a refresh token comes with an access token: if `offline_access` is granted, always or never. */
export const refreshTokenPolicies = ['offline_access', 'always', 'never'] as const
export type RefreshTokenPolicy = (typeof refreshTokenPolicies)[number]

/** An OAuth client and what it may have. */
export interface Client {
  readonly id: string
  readonly name: string
  readonly authenticationMethod: AuthenticationMethod
  /** Its public keys, for `private_key_jwt`. */
  readonly jwks: JSONWebKeySet | null
  /** An app of the same house: the only kind that may see a password. */
  readonly firstParty: boolean
  readonly grantTypes: readonly GrantType[]
  readonly scopes: readonly string[]
  /** What it gets when it asks for no scope. */
  readonly defaultScopes: readonly string[]
  /** Resources it may ask a token for; the first when it names none. */
  readonly audiences: readonly string[]
  /** Audiences whose tokens it may introspect beside its own; `*` for all. */
  readonly introspects: readonly string[]
  readonly refreshTokens: RefreshTokenPolicy
  /** null: as configured for the server. */
  readonly accessTokenSeconds: number | null
  readonly sessionIdleSeconds: number | null
  readonly sessionAbsoluteSeconds: number | null
  /** Whether people may sign in whose address is not proven yet. */
  readonly letsUnverifiedIn: boolean
  readonly createdAt: Date
  readonly disabledAt: Date | null
}

/** RFC 6749 §2.1: a public client has nothing to prove itself with. */
export const isPublic = (client: Client): boolean => client.authenticationMethod === 'none'

export const usesSecret = (client: Client): boolean =>
  client.authenticationMethod === 'client_secret_basic' ||
  client.authenticationMethod === 'client_secret_post'

export interface ClientRow {
  id: string
  name: string
  token_endpoint_auth_method: AuthenticationMethod
  jwks: JSONWebKeySet | null
  first_party: boolean
  grant_types: GrantType[]
  scopes: string[]
  default_scopes: string[]
  audiences: string[]
  introspects: string[]
  refresh_tokens: RefreshTokenPolicy
  access_token_seconds: number | null
  session_idle_seconds: number | null
  session_absolute_seconds: number | null
  lets_unverified_in: boolean
  created_at: Date
  disabled_at: Date | null
}

export const clientOf = (row: ClientRow): Client => ({
  id: row.id,
  name: row.name,
  authenticationMethod: row.token_endpoint_auth_method,
  jwks: row.jwks,
  firstParty: row.first_party,
  grantTypes: row.grant_types,
  scopes: row.scopes,
  defaultScopes: row.default_scopes,
  audiences: row.audiences,
  introspects: row.introspects,
  refreshTokens: row.refresh_tokens,
  accessTokenSeconds: row.access_token_seconds,
  sessionIdleSeconds: row.session_idle_seconds,
  sessionAbsoluteSeconds: row.session_absolute_seconds,
  letsUnverifiedIn: row.lets_unverified_in,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
})
