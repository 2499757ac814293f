import { z } from 'zod'
import { isPrivateScheme } from '../oauth/redirect-uri.ts'
import { offlineAccess } from '../oauth/scope.ts'
import { ClientError } from './client.ts'
import {
  type SettingColumns,
  type SettingField,
  type Settings,
  settingEntries,
  tokenExchangeGrant,
} from './client-settings.ts'

/** A token with more would be longer than this server and its verifiers read. */
const longestScope = 4000

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const rules = Object.fromEntries(settingEntries.map(([field, { rule }]) => [field, rule])) as {
  [Field in SettingField]: Settings[Field]['rule']
}

/** The rules of a client as a whole. Every error names its field. */
export const newClient = z
  .object({
    ...rules,
    id: z
      .string()
      .regex(/^[A-Za-z0-9._~-]{1,100}$/, 'is 1 to 100 letters, digits or . _ ~ -')
      // RFC 9700 §4.15: the subject of a client's token must not pass for a person.
      .refine((id) => !uuid.test(id), 'looks like the id of a person'),
  })
  .transform((client) => ({
    ...client,
    name: client.name ?? client.id,
    // Staying signed in is for apps that ask for it: offline_access is never a default.
    defaultScopes: client.defaultScopes ?? client.scopes.filter((scope) => scope !== offlineAccess),
  }))
  .superRefine((client, context) => {
    const refuse = (field: SettingField, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message })
    const isPublic = client.authenticationMethod === 'none'
    if (client.scopes.join(' ').length > longestScope) {
      refuse('scopes', `have more than ${longestScope} characters together: no token can bear them`)
    }
    if (client.grantTypes.includes('password') && !client.firstParty) {
      refuse(
        'grantTypes',
        'only a first-party client may have the password grant (RFC 9700 section 2.4)',
      )
    }
    if (client.grantTypes.includes('client_credentials') && isPublic) {
      refuse('grantTypes', 'a public client cannot have client_credentials (RFC 6749 section 4.4)')
    }
    if (client.grantTypes.includes(tokenExchangeGrant) && isPublic) {
      refuse('grantTypes', 'a public client cannot exchange tokens: anybody could be it')
    }
    const hasCode = client.grantTypes.includes('authorization_code')
    if (hasCode !== client.redirectUris.length > 0) {
      refuse('redirectUris', 'the grant authorization_code and redirect URIs go together')
    }
    if (!isPublic && client.redirectUris.some(isPrivateScheme)) {
      refuse(
        'redirectUris',
        'only a public client may have a private-use scheme (RFC 8252 section 8.4)',
      )
    }
    if (!client.requirePkce && isPublic) {
      refuse('requirePkce', 'a public client must use PKCE (RFC 9700 section 2.1.1)')
    }
    if (client.consent === 'skip' && !client.firstParty) {
      refuse('consent', 'only a first-party client may skip consent')
    }
    if ((client.authenticationMethod === 'private_key_jwt') !== (client.jwks !== null)) {
      refuse('jwks', 'private_key_jwt and a JWKS go together')
    }
    if (!client.defaultScopes.every((scope) => client.scopes.includes(scope))) {
      refuse('defaultScopes', 'must be among the scopes')
    }
    if (client.introspects.length > 0 && isPublic) {
      refuse('introspects', 'a public client cannot introspect (RFC 7662 section 2.1)')
    }
  })

export type NewClient = z.input<typeof newClient>

/**
 * The settings of a checked client as columns.
 * @throws ClientError when its tokens would outlive the memory of revocations
 */
export function columnsOf(
  checked: z.output<typeof newClient>,
  accessTokenMaxSeconds: number,
): SettingColumns {
  if ((checked.accessTokenSeconds ?? 0) > accessTokenMaxSeconds) {
    throw new ClientError(
      `Access tokens of ${checked.accessTokenSeconds} s are longer than ACCESS_TOKEN_MAX_SECONDS (${accessTokenMaxSeconds}).`,
      'too_long',
    )
  }
  const columns = settingEntries.map(([field, { name }]) => [name, checked[field]])
  // pg would send an object as JSON and an array as an array; of jwks it must get JSON.
  const jwks = checked.jwks && JSON.stringify(checked.jwks)
  return { ...Object.fromEntries(columns), jwks }
}
