import { z } from 'zod'
import type { Clients } from '../../clients/clients.ts'
import { later, type Now } from '../../clock.ts'
import { isScopeToken, offlineAccess } from '../../oauth/scope.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { ApiKey, ApiKeys } from '../../tokens/api-keys.ts'
import type { Users } from '../../users/users.ts'
import { type Operation, operation } from '../operation.ts'
import { invalidField, Problem } from '../problem.ts'
import { asFieldProblems, confirmed } from './refusals.ts'
import { done, idPath, passwordField } from './schemas.ts'

interface Dependencies {
  readonly apiKeys: ApiKeys
  readonly clients: Clients
  readonly users: Users
  readonly throttle: Throttle
  readonly now: Now
}

const apiKey = z
  .object({
    id: z.uuid(),
    name: z.string(),
    client_id: z.string().nullable().meta({ description: 'The app that created it' }),
    scope: z.string(),
    audience: z.array(z.string()),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ApiKey' })

const created = apiKey
  .extend({ key: z.string().meta({ description: 'Shown this once', example: 'sak_…' }) })
  .meta({ id: 'NewApiKey' })

const apiKeyOf = (key: ApiKey): z.input<typeof apiKey> => ({
  id: key.id,
  name: key.name,
  client_id: key.clientId,
  scope: key.scope.join(' '),
  audience: [...key.audience],
  created_at: key.createdAt.toISOString(),
  expires_at: key.expiresAt?.toISOString() ?? null,
  last_used_at: key.lastUsedAt?.toISOString() ?? null,
})

const newKeyBody = z.strictObject({
  name: z.string().trim().min(1).max(100),
  scope: z
    .string()
    .max(1000)
    .refine(
      (text) => text.split(' ').every(isScopeToken),
      'must be scope tokens separated by spaces',
    )
    .meta({ description: 'At most the scope of the app that creates it', example: 'read' }),
  audience: z.array(z.string().max(500)).min(1).max(10).optional(),
  expires_in_days: z
    .int()
    .min(1)
    .max(3650)
    .nullable()
    .default(90)
    .meta({ description: '`null`: never' }),
  password: passwordField.meta({
    description: 'Your password, so that a stolen token cannot become a key',
  }),
})

/** Keys for programs that act for a person. */
export const apiKeyOperations = (deps: Dependencies): Operation[] => [
  list(deps),
  create(deps),
  revoke(deps),
]

function list({ apiKeys }: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/auth/api-keys',
    tag: 'API keys',
    summary: 'Your API keys, without their secrets',
    access: 'person',
    responses: {
      200: { description: 'Newest first', schema: z.object({ api_keys: z.array(apiKey) }) },
    },
    async handle({ person }) {
      const found = await apiKeys.list(person.user.id)
      return { status: 200, body: { api_keys: found.map(apiKeyOf) } }
    },
  })
}

function create({ apiKeys, clients, users, throttle, now }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/api-keys',
    tag: 'API keys',
    summary: 'Create an API key; it is shown in this answer only',
    access: 'person',
    body: newKeyBody,
    responses: { 201: { description: 'The key', schema: created } },
    async handle({ body, person, ip }) {
      await throttle.attempt('apiKeyCreation', { person: person.user.id })
      const client = (await clients.find(person.clientId))?.client
      // A client that was deleted meanwhile has nothing to grant.
      if (!client) throw new Problem('forbidden')
      const scope = [...new Set(body.scope.split(' '))]
      const allowed = client.scopes.filter((one) => one !== offlineAccess)
      if (!scope.every((one) => allowed.includes(one))) {
        throw invalidField('/scope', `must be among ${allowed.join(' ')}`)
      }
      const audience = body.audience ?? client.audiences.slice(0, 1)
      if (!audience.every((one) => client.audiences.includes(one))) {
        throw invalidField('/audience', `must be among ${client.audiences.join(' ')}`)
      }
      const { id: userId, passwordChangedAt } = person.user
      await asFieldProblems(() =>
        confirmed(throttle, userId, () => users.requirePassword(userId, body.password, { ip })),
      )
      const days = body.expires_in_days
      const expiresAt = days === null ? null : later(now(), days * 86_400)
      const newKey = await apiKeys.create({
        userId,
        passwordChangedAt,
        clientId: client.id,
        sid: person.sid,
        ip,
        name: body.name,
        scope,
        audience,
        expiresAt,
      })
      if (!newKey) {
        const detail = 'The API key limit has been reached, or the session has ended meanwhile.'
        throw new Problem('conflict', { detail })
      }
      return { status: 201, body: { ...apiKeyOf(newKey.key), key: newKey.secret } }
    },
  })
}

function revoke({ apiKeys }: Dependencies): Operation {
  return operation({
    method: 'delete',
    path: '/api/v1/auth/api-keys/{id}',
    tag: 'API keys',
    summary: 'Revoke an API key and its access tokens',
    access: 'person',
    pathParams: idPath,
    responses: { 204: done },
    async handle({ person, path, ip }) {
      if (!(await apiKeys.revoke(person.user.id, path.id, ip))) throw new Problem('not-found')
      return { status: 204 }
    },
  })
}
