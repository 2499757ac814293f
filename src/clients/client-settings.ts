import { z } from 'zod'
import { isResource } from '../oauth/resource.ts'
import { isScopeToken } from '../oauth/scope.ts'
import { publicKeys } from './public-keys.ts'

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
  'password',
  'refresh_token',
  'client_credentials',
  tokenExchangeGrant,
] as const
export type GrantType = (typeof grantTypes)[number]

/** When a refresh token comes with an access token: if `offline_access` is granted, always or never. */
const refreshTokenPolicies = ['offline_access', 'always', 'never'] as const

/**
 * One setting of a client. The column, the JSON API, the command line, the rules and the
 * documentation all follow from it.
 */
export interface Setting {
  /** Its column and its member in the JSON API: the name of RFC 7591 §2, if there is one. */
  readonly name: string
  /** For CLI help, `/openapi.json` and docs/clients.md. */
  readonly about: string
  /** The option of `signet clients create`, and how its value is read. */
  readonly option: {
    readonly flags: string
    readonly kind: 'text' | 'flag' | 'list' | 'choice' | 'seconds' | 'file'
    readonly choices?: readonly string[]
  }
  /** Its schema, with its default; a setting without one is required. */
  readonly rule: z.ZodType
  /** How the JSON API writes it. */
  readonly json: z.ZodType
  /** Set when the client is created, and never changed. */
  readonly isFixed?: boolean
  /** Left out of the answers of the JSON API. */
  readonly isHidden?: boolean
}

/** On or off; off by default. */
const flag = <Name extends string>(name: Name, flags: string, about: string) => ({
  name,
  about,
  option: { flags, kind: 'flag' as const },
  rule: z.boolean().default(false),
  json: z.boolean(),
})

/** A lifetime; null stands for that of the server. */
const seconds = <Name extends string>(name: Name, flags: string, about: string) => ({
  name,
  about,
  option: { flags: `${flags} <n>`, kind: 'seconds' as const },
  rule: z.int().min(1).max(315_360_000).nullable().default(null),
  json: z.int().nullable(),
})

const choice = <Name extends string, Value extends string>(
  name: Name,
  flags: string,
  about: string,
  choices: readonly [Value, ...Value[]],
) => ({
  name,
  about,
  option: { flags, kind: 'choice' as const, choices },
  rule: z.enum(choices).default(choices[0] as z.core.util.NoUndefined<Value>),
  json: z.enum(choices),
})

const list = <Name extends string, Rule extends z.ZodType, Item extends z.ZodType>(
  name: Name,
  flags: string,
  about: string,
  rule: Rule,
  item: Item,
) => ({ name, about, option: { flags, kind: 'list' as const }, rule, json: z.array(item) })

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
