import { z } from 'zod'
import { accountClientId } from '../account/api-clients.ts'
import { done } from '../account/schemas.ts'
import {
  authenticationMethods,
  type Client,
  grantTypes,
  refreshTokenPolicies,
} from '../clients/client.ts'
import { ClientRefused } from '../clients/client-refused.ts'
import type { Clients } from '../clients/clients.ts'
import { type Operation, operation } from '../http/operation.ts'
import { invalidField, Problem } from '../http/problem.ts'

interface Rooms {
  readonly clients: Clients
}

const lives = {
  access_token_seconds: z.int().nullable(),
  session_idle_seconds: z.int().nullable(),
  session_absolute_seconds: z.int().nullable(),
}

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

const client = z
  .object({
    client_id: z.string(),
    token_endpoint_auth_method: z.enum(authenticationMethods),
    ...settings,
    created_at: z.iso.datetime(),
    disabled_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Client' })

const newClient = z.strictObject({
  client_id: z.string(),
  token_endpoint_auth_method: z.enum(authenticationMethods).optional(),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})) }).optional(),
  ...z.strictObject(settings).partial().shape,
  grant_types: settings.grant_types,
})

const changes = z
  .strictObject({ ...settings, disabled: z.boolean(), rotate_secret: z.literal(true) })
  .partial()
  .refine((wished) => Object.keys(wished).length > 0, 'change something')

const withSecret = client.extend({
  client_secret: z.string().optional().meta({ description: 'Shown this once' }),
})

const clientJson = (one: Client): z.input<typeof client> => ({
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
})

/** Administrators about applications. */
export const clientOperations = (rooms: Rooms): Operation[] => [
  list(rooms),
  create(rooms),
  change(rooms),
  remove(rooms),
]

function list({ clients }: Rooms): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/clients',
    tag: 'Administration: clients',
    summary: 'All clients',
    access: 'administrator',
    responses: { 200: { description: 'All', schema: z.object({ clients: z.array(client) }) } },
    async handle() {
      const found = await clients.list()
      return { status: 200, body: { clients: found.map(clientJson) } }
    },
  })
}

function create({ clients }: Rooms): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/clients',
    tag: 'Administration: clients',
    summary: 'Register a client; its secret is shown this once',
    access: 'administrator',
    body: newClient,
    responses: { 201: { description: 'The client', schema: withSecret } },
    async handle({ body, person, ip }) {
      const { client_id: id, jwks = null, token_endpoint_auth_method: method } = body
      const wished = {
        ...settingsOf(body),
        id,
        name: body.name ?? id,
        authenticationMethod: method,
        jwks: jwks as never,
        grantTypes: body.grant_types,
        scopes: body.scopes ?? [],
        audiences: body.audiences ?? [],
      }
      const actor = { actorId: person.user.id, ip }
      const made = await asProblems(() => clients.create(wished, actor))
      return { status: 201, body: { ...clientJson(made.client), client_secret: made.secret } }
    },
  })
}

function change({ clients }: Rooms): Operation {
  return operation({
    method: 'patch',
    path: '/api/v1/clients/{id}',
    tag: 'Administration: clients',
    summary: 'Change a client, disable it, or give it a new secret beside the one it has',
    access: 'administrator',
    pathParams: clientPath,
    body: changes,
    responses: { 200: { description: 'The client', schema: withSecret } },
    async handle({ path: { id }, body, person, ip }) {
      const { disabled, rotate_secret: rotate, ...wished } = body
      if (disabled) refuseOwn(id)
      const settings = Object.keys(wished).length > 0 ? settingsOf(wished) : undefined
      const overlapSeconds = rotate && rotationSeconds
      const actor = { actorId: person.user.id, ip }
      return asProblems(async () => {
        const { secret } = await clients.amend(id, { settings, disabled, overlapSeconds }, actor)
        const changed = await clients.known(id)
        return { status: 200, body: { ...clientJson(changed), client_secret: secret } }
      })
    },
  })
}

function remove({ clients }: Rooms): Operation {
  return operation({
    method: 'delete',
    path: '/api/v1/clients/{id}',
    tag: 'Administration: clients',
    summary: 'Delete a client; everything that it was given ends',
    access: 'administrator',
    pathParams: clientPath,
    responses: { 204: done },
    async handle({ path, person, ip }) {
      refuseOwn(path.id)
      await asProblems(() => clients.delete(path.id, { actorId: person.user.id, ip }))
      return { status: 204 }
    },
  })
}

const clientPath = z.strictObject({ id: z.string().max(100) })

/** The secret before goes on for a day, as with the command line. */
const rotationSeconds = 86_400

/** Administrators sign in through it: without it nobody could undo what was done. */
function refuseOwn(id: string): void {
  if (id !== accountClientId) return
  throw new Problem('conflict', { detail: 'this client is the one of this API: it stays' })
}

/** Only what was given: what is absent stays as it is. */
function settingsOf(body: z.output<typeof changes>) {
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

/** The rules of clients name their own fields; here they have the names of RFC 7591. */
async function asProblems<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof z.ZodError) {
      throw new Problem('invalid-fields', {
        errors: error.issues.map(({ path, message }) => ({
          pointer: `/${path.map((part) => wireName(String(part))).join('/')}`,
          detail: message,
        })),
      })
    }
    if (!(error instanceof ClientRefused)) throw error
    if (error.reason === 'unknown') throw new Problem('not-found')
    if (error.reason === 'too_long') throw invalidField('/access_token_seconds', error.message)
    throw new Problem('conflict', { detail: error.message })
  }
}

const wireName = (name: string): string => {
  if (name === 'id') return 'client_id'
  if (name === 'authenticationMethod') return 'token_endpoint_auth_method'
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
