import { z } from 'zod'
import { isResource } from '../oauth/resource.ts'
import { isScopeToken, offlineAccess } from '../oauth/scope.ts'
import { authenticationMethods, grantTypes, refreshTokenPolicies } from './client.ts'
import { publicKeys } from './public-keys.ts'

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

const seconds = z.int().min(1).max(315_360_000)

const audience = z
  .string()
  .max(500)
  .refine(
    (text) => isResource(text) || /^[\w.~-]+$/.test(text),
    'is neither a URI nor a plain name',
  )

/** A token with more would be longer than this server and its verifiers read. */
const longestScope = 4000

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What a new client is made of. What contradicts itself is refused, each mistake with its field. */
export const newClient = z
  .object({
    id: z
      .string()
      .regex(/^[A-Za-z0-9._~-]{1,100}$/, 'is 1 to 100 letters, digits or . _ ~ -')
      // RFC 9700 §4.15: the subject of a client's token must not pass for a person.
      .refine((id) => !uuid.test(id), 'looks like the id of a person'),
    name: z.string().trim().min(1).max(200),
    authenticationMethod: z.enum(authenticationMethods).default('client_secret_basic'),
    jwks: publicKeys.nullable().default(null),
    firstParty: z.boolean().default(false),
    grantTypes: z.array(z.enum(grantTypes)).min(1),
    scopes: z
      .array(z.string().refine(isScopeToken, 'is no scope token (RFC 6749 section 3.3)'))
      .max(200),
    defaultScopes: z.array(z.string()).optional(),
    audiences: z.array(audience).min(1).max(50),
    introspects: z
      .array(z.union([audience, z.literal('*')]))
      .max(50)
      .default([]),
    refreshTokens: z.enum(refreshTokenPolicies).default('offline_access'),
    accessTokenSeconds: seconds.nullable().default(null),
    sessionIdleSeconds: seconds.nullable().default(null),
    sessionAbsoluteSeconds: seconds.nullable().default(null),
    letsUnverifiedIn: z.boolean().default(false),
  })
  .transform((client) => ({
    ...client,
    // Staying signed in is for apps that ask for it: it is never in the default.
    defaultScopes: client.defaultScopes ?? client.scopes.filter((scope) => scope !== offlineAccess),
  }))
  .superRefine((client, context) => {
    const mistake = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message })
    if (client.scopes.join(' ').length > longestScope) {
      mistake(
        'scopes',
        `have more than ${longestScope} characters together: no token can bear them`,
      )
    }
    if (client.grantTypes.includes('password') && !client.firstParty) {
      mistake(
        'grantTypes',
        'only a first-party client may have the password grant (RFC 9700 section 2.4)',
      )
    }
    if (
      client.grantTypes.includes('client_credentials') &&
      client.authenticationMethod === 'none'
    ) {
      mistake('grantTypes', 'a public client cannot have client_credentials (RFC 6749 section 4.4)')
    }
    if (client.grantTypes.includes(tokenExchange) && client.authenticationMethod === 'none') {
      mistake('grantTypes', 'a public client cannot exchange tokens: anybody could be it')
    }
    if ((client.authenticationMethod === 'private_key_jwt') !== (client.jwks !== null)) {
      mistake('jwks', 'private_key_jwt and a JWKS go together')
    }
    if (!client.defaultScopes.every((scope) => client.scopes.includes(scope))) {
      mistake('defaultScopes', 'must be among the scopes')
    }
    if (client.introspects.length > 0 && client.authenticationMethod === 'none') {
      mistake('introspects', 'a public client cannot introspect (RFC 7662 section 2.1)')
    }
  })

export type NewClient = z.input<typeof newClient>
