import { z } from 'zod'
import { ClientError } from '../../clients/client.ts'
import { type SettingField, settings } from '../../clients/client-settings.ts'
import type { Clients } from '../../clients/clients.ts'
import type { NewClient } from '../../clients/new-client.ts'
import { accountClientId } from '../account/api-clients.ts'
import { done } from '../account/schemas.ts'
import { type Operation, operation } from '../operation.ts'
import { invalidField, Problem } from '../problem.ts'
import {
  client,
  clientChanges,
  clientJson,
  clientWithSecret,
  newClient,
  settingsIn,
} from './client-schemas.ts'

interface Dependencies {
  readonly clients: Clients
}

/** The operations on clients, for administrators. */
export const clientOperations = (deps: Dependencies): Operation[] => [
  list(deps),
  create(deps),
  change(deps),
  remove(deps),
]

function list({ clients }: Dependencies): Operation {
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

function create({ clients }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/clients',
    tag: 'Administration: clients',
    summary: 'Register a client; its secret is shown this once',
    access: 'administrator',
    body: newClient,
    responses: { 201: { description: 'The client', schema: clientWithSecret } },
    async handle({ body, person, ip }) {
      const requested = { ...settingsIn(body), id: body.client_id } as NewClient
      const actor = { actorId: person.user.id, ip }
      const created = await asClientProblems(() => clients.create(requested, actor))
      return { status: 201, body: { ...clientJson(created.client), client_secret: created.secret } }
    },
  })
}

function change({ clients }: Dependencies): Operation {
  return operation({
    method: 'patch',
    path: '/api/v1/clients/{id}',
    tag: 'Administration: clients',
    summary: 'Change a client, disable it, or give it a new secret beside the one it has',
    access: 'administrator',
    pathParams: clientPath,
    body: clientChanges,
    responses: { 200: { description: 'The client', schema: clientWithSecret } },
    async handle({ path: { id }, body, person, ip }) {
      const { disabled, rotate_secret: rotate, ...changed } = body
      if (disabled || vital.some((name) => changed[name] !== undefined)) refuseOwn(id)
      const changes = Object.keys(changed).length > 0 ? settingsIn(changed) : undefined
      const overlapSeconds = rotate && rotationSeconds
      const actor = { actorId: person.user.id, ip }
      return asClientProblems(async () => {
        const requested = { settings: changes, disabled, overlapSeconds }
        const { secret } = await clients.amend(id, requested, actor)
        const amended = await clients.get(id)
        return { status: 200, body: { ...clientJson(amended), client_secret: secret } }
      })
    },
  })
}

function remove({ clients }: Dependencies): Operation {
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
      await asClientProblems(() => clients.delete(path.id, { actorId: person.user.id, ip }))
      return { status: 204 }
    },
  })
}

/** Errors of clients/ name the fields of a client; callers know them by their names in this API. */
async function asClientProblems<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof z.ZodError) {
      throw new Problem('invalid-fields', {
        errors: error.issues.map(({ path: [field, ...rest], message }) => ({
          pointer: ['', wireName(String(field)), ...rest].join('/'),
          detail: message,
        })),
      })
    }
    if (!(error instanceof ClientError)) throw error
    if (error.reason === 'unknown') throw new Problem('not-found')
    if (error.reason === 'too_long') throw invalidField('/access_token_seconds', error.message)
    throw new Problem('conflict', { detail: error.message })
  }
}

const wireName = (field: string): string =>
  field === 'id' ? 'client_id' : (settings[field as SettingField]?.name ?? field)

const clientPath = z.strictObject({ id: z.string().max(100) })

/** The previous secret stays valid for a day, as on the command line. */
const rotationSeconds = 86_400

/** Administrators sign in through this client: without it nobody could undo the change. */
function refuseOwn(id: string): void {
  if (id !== accountClientId) return
  throw new Problem('conflict', { detail: 'this API needs this client' })
}

/** Settings without which nobody could sign in to this API any more. */
const vital = ['audiences', 'scopes', 'grant_types'] as const
