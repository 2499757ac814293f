import { z } from 'zod'
import {
  authenticationMethods,
  type Client,
  grantTypes,
  refreshTokenPolicies,
} from '../../clients/client.ts'
import type { ListedClient } from '../../clients/clients.ts'

const lives = {
  access_token_seconds: z.int().nullable(),
  session_idle_seconds: z.int().nullable(),
  session_absolute_seconds: z.int().nullable(),
}

/** What administrators set, in the words of RFC 7591 where it has one. */
const settings = {
  name: z.string(),
  first_party: z.boolean(),
  grant_types: z.array(z.enum(grantTypes)),
  scopes: z.array(z.string()),
  default_scopes: z.array(z.string()),
  audiences: z.array(z.string()),
  introspects: z.array(z.string()),
  refresh_tokens: z.enum(refreshTokenPolicies),
  ...lives,
  lets_unverified_in: z.boolean(),
}

/** What administrators see of a client. */
export const client = z
  .object({
    client_id: z.string(),
    token_endpoint_auth_method: z.enum(authenticationMethods),
    ...settings,
    created_at: z.iso.datetime(),
    disabled_at: z.iso.datetime().nullable(),
    ending_sessions: z.boolean().meta({
      description: 'Disabled, and rows of its sessions are still being ended; none of them goes on',
    }),
  })
  .meta({ id: 'Client' })

export const newClient = z.strictObject({
  client_id: z.string(),
  token_endpoint_auth_method: z.enum(authenticationMethods).optional(),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})) }).optional(),
  ...z.strictObject(settings).partial().shape,
  grant_types: settings.grant_types,
  audiences: settings.audiences,
})

export const clientChanges = z
  .strictObject({ ...settings, disabled: z.boolean(), rotate_secret: z.literal(true) })
  .partial()
  .refine((wished) => Object.keys(wished).length > 0, 'change something')

export const clientWithSecret = client.extend({
  client_secret: z.string().optional().meta({ description: 'Shown this once' }),
})

export const clientJson = (one: Client & Partial<ListedClient>): z.input<typeof client> => ({
  client_id: one.id,
  token_endpoint_auth_method: one.authenticationMethod,
  name: one.name,
  first_party: one.firstParty,
  grant_types: [...one.grantTypes],
  scopes: [...one.scopes],
  default_scopes: [...one.defaultScopes],
  audiences: [...one.audiences],
  introspects: [...one.introspects],
  refresh_tokens: one.refreshTokens,
  access_token_seconds: one.accessTokenSeconds,
  session_idle_seconds: one.sessionIdleSeconds,
  session_absolute_seconds: one.sessionAbsoluteSeconds,
  lets_unverified_in: one.letsUnverifiedIn,
  created_at: one.createdAt.toISOString(),
  disabled_at: one.disabledAt?.toISOString() ?? null,
  ending_sessions: one.endingSessions ?? false,
})

/** Only what was given: what is absent stays as it is. */
export function settingsOf(body: z.output<typeof clientChanges>) {
  const named = {
    name: body.name,
    firstParty: body.first_party,
    grantTypes: body.grant_types,
    scopes: body.scopes,
    defaultScopes: body.default_scopes,
    audiences: body.audiences,
    introspects: body.introspects,
    refreshTokens: body.refresh_tokens,
    accessTokenSeconds: body.access_token_seconds,
    sessionIdleSeconds: body.session_idle_seconds,
    sessionAbsoluteSeconds: body.session_absolute_seconds,
    letsUnverifiedIn: body.lets_unverified_in,
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) as {
    [K in keyof typeof named]?: Exclude<(typeof named)[K], undefined>
  }
}
