import { z } from 'zod'
import { isResource } from '../oauth/resource.ts'
import { isScopeToken } from '../oauth/scope.ts'
import { publicKeys } from './public-keys.ts'
import {
  choice,
  flag,
  list,
  optional,
  redirectUri,
  type Setting,
  seconds,
  webUri,
} from './setting-kinds.ts'

/** RFC 7591 §2. `client_secret_basic` clients may also use `client_secret_post`, and the reverse. */
export const authenticationMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const
export type AuthenticationMethod = (typeof authenticationMethods)[number]

/** RFC 8693 §2.1. */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

export const grantTypes = [
  'authorization_code',
  'password',
  'refresh_token',
  'client_credentials',
  tokenExchangeGrant,
] as const
export type GrantType = (typeof grantTypes)[number]

/** When a refresh token comes with an access token: if `offline_access` is granted, always or never. */
const refreshTokenPolicies = ['offline_access', 'always', 'never'] as const

/** When a person is asked whether a client may act for them: each time, once, or never. */
const consentPolicies = ['remember', 'always', 'skip'] as const

const audience = z
  .string()
  .max(500)
  .refine(
    (text) => isResource(text) || /^[\w.~-]+$/.test(text),
    'is neither a URI nor a plain name',
  )
const scope = z.string().refine(isScopeToken, 'is no scope token (RFC 6749 section 3.3)')

/** Every setting of a client, in the order of the help and the documentation. */
export const settings = {
  name: {
    name: 'name',
    about: 'Name for people; the client_id if absent',
    option: { flags: '--name <name>', kind: 'text' },
    rule: z.string().trim().min(1).max(200).optional(),
    json: z.string(),
  },
  authenticationMethod: {
    ...choice(
      'token_endpoint_auth_method',
      '--auth <method>',
      'How it authenticates (none: a public client)',
      authenticationMethods,
    ),
    isFixed: true,
  },
  jwks: {
    name: 'jwks',
    about: 'JWKS with its public keys, for private_key_jwt',
    option: { flags: '--jwks <file>', kind: 'file' },
    rule: publicKeys.nullable().default(null),
    json: z.looseObject({ keys: z.array(z.looseObject({})) }),
    isFixed: true,
    isHidden: true,
  },
  firstParty: flag(
    'first_party',
    '--first-party',
    'An app of your own, which may have the password grant',
  ),
  grantTypes: list(
    'grant_types',
    '--grant <types>',
    `Grants it may use: ${grantTypes.join(', ')}`,
    z.array(z.enum(grantTypes)).min(1),
    z.enum(grantTypes),
  ),
  scopes: list(
    'scopes',
    '--scope <scopes>',
    'Scopes it may request',
    z.array(scope).max(200).default([]),
    z.string(),
  ),
  defaultScopes: list(
    'default_scopes',
    '--default-scope <scopes>',
    'Scopes it gets if it requests none; all but offline_access if absent',
    z.array(z.string()).optional(),
    z.string(),
  ),
  audiences: list(
    'audiences',
    '--audience <audiences>',
    'Services it may get tokens for, the first by default; ISSUER is the JSON API of accounts',
    z.array(audience).min(1).max(50),
    z.string(),
  ),
  introspects: list(
    'introspects',
    '--introspect <audiences>',
    'Audiences whose tokens it may introspect besides its own, or * for all',
    z
      .array(z.union([audience, z.literal('*')]))
      .max(50)
      .default([]),
    z.string(),
  ),
  refreshTokens: choice(
    'refresh_tokens',
    '--refresh-tokens <when>',
    'When a refresh token comes with an access token',
    refreshTokenPolicies,
  ),
  accessTokenSeconds: seconds(
    'access_token_seconds',
    '--access-token-seconds',
    'Lifetime of its access tokens; ACCESS_TOKEN_SECONDS if absent',
  ),
  sessionIdleSeconds: seconds(
    'session_idle_seconds',
    '--session-idle-seconds',
    'Idle lifetime of its sessions; SESSION_IDLE_DAYS if absent',
  ),
  sessionAbsoluteSeconds: seconds(
    'session_absolute_seconds',
    '--session-absolute-seconds',
    'Lifetime of its sessions; SESSION_ABSOLUTE_DAYS if absent',
  ),
  redirectUris: list(
    'redirect_uris',
    '--redirect-uri <uris>',
    'Where people return to after signing in: exact URIs; on loopback with any port',
    z.array(redirectUri).max(50).default([]),
    z.string(),
  ),
  postLogoutRedirectUris: list(
    'post_logout_redirect_uris',
    '--post-logout-redirect-uri <uris>',
    'Where people return to after signing out',
    z.array(redirectUri).max(50).default([]),
    z.string(),
  ),
  backchannelLogoutUri: optional(
    'backchannel_logout_uri',
    '--backchannel-logout-uri <uri>',
    'Where it is notified when a session ends',
    webUri,
  ),
  initiateLoginUri: optional(
    'initiate_login_uri',
    '--initiate-login-uri <uri>',
    'Where a sign-in with it begins',
    webUri,
  ),
  clientUri: optional('client_uri', '--client-uri <uri>', 'Its home page', webUri),
  policyUri: optional('policy_uri', '--policy-uri <uri>', 'Its privacy policy', webUri),
  tosUri: optional('tos_uri', '--tos-uri <uri>', 'Its terms of service', webUri),
  accentColor: optional(
    'accent_color',
    '--accent-color <color>',
    'Accent color of the pages that people sign in on, such as #0b57d0',
    z.string().regex(/^#[0-9a-f]{6}$/i, 'must be a color such as #0b57d0'),
  ),
  requirePkce: {
    name: 'require_pkce',
    about: 'Every authorization request must have a code_challenge (RFC 7636)',
    option: { flags: '--no-require-pkce', kind: 'flag' },
    rule: z.boolean().default(true),
    json: z.boolean(),
  },
  consent: {
    name: 'consent',
    about: 'When people are asked for consent; if absent, once, and never for a first-party client',
    option: { flags: '--consent <when>', kind: 'text', choices: consentPolicies },
    rule: z.enum(consentPolicies).nullable().default(null),
    json: z.enum(consentPolicies).nullable(),
  },
  defaultMaxAge: {
    name: 'default_max_age',
    about: 'Seconds after which people sign in again, unless a request says otherwise',
    option: { flags: '--default-max-age <n>', kind: 'seconds' },
    rule: z.int().min(0).max(315_360_000).nullable().default(null),
    json: z.int().nullable(),
  },
  letsUnverifiedIn: flag(
    'lets_unverified_in',
    '--lets-unverified-in',
    'People may sign in before their email address is verified; reveals which addresses are new',
  ),
} as const satisfies Readonly<Record<string, Setting>>

export type Settings = typeof settings
export type SettingField = keyof Settings

/** The settings as fields and their declarations. */
export const settingEntries = Object.entries(settings) as [SettingField, Setting][]

type Stored<Field extends SettingField> = Exclude<z.output<Settings[Field]['rule']>, undefined>
type Frozen<Value> = Value extends (infer Item)[] ? readonly Item[] : Value

/** The settings of a client as the server works with them. */
export type ClientSettings = { readonly [Field in SettingField]: Frozen<Stored<Field>> }

/** The settings of a client as the table has them. */
export type SettingColumns = {
  [Field in SettingField as Settings[Field]['name']]: Stored<Field>
}

export const settingsOf = (row: SettingColumns): ClientSettings =>
  Object.fromEntries<unknown>(
    settingEntries.map(([field, { name }]) => [field, row[name as keyof SettingColumns]]),
  ) as ClientSettings

/** In SQL, by name: a prepared statement must keep its result type when a column is added. */
export const settingColumns = settingEntries.map(([, { name }]) => name).join(', ')
