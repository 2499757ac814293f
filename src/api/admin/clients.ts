import { z } from 'zod'
import type { Clients } from '../../clients/clients.ts'
import { accountClientId } from '../account/api-clients.ts'
import { done } from '../account/schemas.ts'
import { type Operation, operation } from '../operation.ts'
import { Problem } from '../problem.ts'
import { asClientProblems } from './client-refusals.ts'
import {
  client,
  clientChanges,
  clientJson,
  clientWithSecret,
  newClient,
  settingsOf,
} from './client-schemas.ts'

interface Dependencies {
  readonly clients: Clients
}

/** Administrators about applications. */
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
      const { client_id: id, jwks = null, token_endpoint_auth_method: method } = body
      const wished = {
        ...settingsOf(body),
        id,
        name: body.name ?? id,
        authenticationMethod: method,
        jwks: jwks as never,
        grantTypes: body.grant_types,
        scopes: body.scopes ?? [],
        audiences: body.audiences,
      }
      const actor = { actorId: person.user.id, ip }
      const made = await asClientProblems(() => clients.create(wished, actor))
      return { status: 201, body: { ...clientJson(made.client), client_secret: made.secret } }
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
      const { disabled, rotate_secret: rotate, ...wished } = body
      if (disabled || vital.some((field) => wished[field] !== undefined)) refuseOwn(id)
      const settings = Object.keys(wished).length > 0 ? settingsOf(wished) : undefined
      const overlapSeconds = rotate && rotationSeconds
      const actor = { actorId: person.user.id, ip }
      return asClientProblems(async () => {
        const { secret } = await clients.amend(id, { settings, disabled, overlapSeconds }, actor)
        const changed = await clients.known(id)
        return { status: 200, body: { ...clientJson(changed), client_secret: secret } }
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

const clientPath = z.strictObject({ id: z.string().max(100) })

/** The secret before goes on for a day, as with the command line. */
const rotationSeconds = 86_400

/** Administrators sign in through it: without it nobody could undo what was done. */
function refuseOwn(id: string): void {
  if (id !== accountClientId) return
  throw new Problem('conflict', { detail: 'this client is the one of this API: it stays' })
}

/** Without these of its settings nobody could sign in to this API any more. */
const vital = ['audiences', 'scopes', 'grant_types'] as const
