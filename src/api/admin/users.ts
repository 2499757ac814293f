import { z } from 'zod'
import type { Actor } from '../../audit/audit-log.ts'
import type { GuessLimiter } from '../../authentication/guess-limiter.ts'
import type { UserAdministration } from '../../users/administration.ts'
import { managedPerson, managedPersonOf, type User } from '../../users/user.ts'
import type { Users } from '../../users/users.ts'
import { asFieldProblems } from '../account/refusals.ts'
import { done, idPath } from '../account/schemas.ts'
import { type Operation, operation } from '../operation.ts'
import { Problem } from '../problem.ts'
import { listQuery, newUser, page, userChanges } from './user-schemas.ts'

interface Dependencies {
  readonly users: Users
  readonly administration: UserAdministration
  readonly guesses: GuessLimiter
}

/** Administration of people. */
export const userOperations = (deps: Dependencies): Operation[] => [
  list(deps),
  stats(deps),
  get(deps),
  create(deps),
  change(deps),
  remove(deps),
]

function list({ users }: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/users',
    tag: 'Administration: people',
    summary: 'People, newest first',
    access: 'administrator',
    query: listQuery,
    responses: { 200: { description: 'A page', schema: page } },
    async handle({ query: { limit, after, ...filter } }) {
      const found = await users.page(filter, limit, after)
      const next = found.length === limit ? (found.at(-1)?.id ?? null) : null
      return { status: 200, body: { users: found.map(managedPersonOf), next } }
    },
  })
}

function stats({ users }: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/users/stats',
    tag: 'Administration: people',
    summary: 'Number of people; above 10,000 an estimate',
    access: 'administrator',
    responses: {
      200: {
        description: 'Counts',
        schema: z.object({
          total: z.int(),
          active: z.int(),
          disabled: z.int(),
          unverified: z.int(),
          administrators: z.int(),
        }),
      },
    },
    async handle() {
      const [total, active, disabled, unverified, administrators] = await Promise.all([
        users.count({}),
        users.count({ state: 'active' }),
        users.count({ state: 'disabled' }),
        users.count({ state: 'unverified' }),
        users.count({ role: 'admin' }),
      ])
      return { status: 200, body: { total, active, disabled, unverified, administrators } }
    },
  })
}

function get({ users }: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/users/{id}',
    tag: 'Administration: people',
    summary: 'A person',
    access: 'administrator',
    pathParams: idPath,
    responses: { 200: { description: 'The person', schema: managedPerson } },
    async handle({ path }) {
      const user = await users.find(path.id)
      if (!user) throw new Problem('not-found')
      return { status: 200, body: managedPersonOf(user) }
    },
  })
}

function create({ users }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/users',
    tag: 'Administration: people',
    summary: 'Add a person',
    access: 'administrator',
    body: newUser,
    responses: { 201: { description: 'The person', schema: managedPerson } },
    async handle({ body, person, ip }) {
      if (body.username === undefined && body.email === undefined) {
        throw new Problem('invalid-fields', {
          errors: [{ pointer: '/username', detail: 'send a username or an email' }],
        })
      }
      const input = {
        username: body.username,
        email: body.email,
        emailVerified: body.email_verified,
        fullName: body.full_name,
        locale: body.locale,
        password: body.password,
        roles: body.roles,
      }
      const actor: Actor = { actorId: person.user.id, ip }
      const user = await asFieldProblems(() => users.create(input, actor))
      return { status: 201, body: managedPersonOf(user) }
    },
  })
}

function change({ administration, guesses }: Dependencies): Operation {
  return operation({
    method: 'patch',
    path: '/api/v1/users/{id}',
    tag: 'Administration: people',
    summary: 'Change roles, disable, require a new password, end sessions, unlock',
    access: 'administrator',
    pathParams: idPath,
    body: userChanges,
    responses: { 200: { description: 'The person', schema: managedPerson } },
    async handle({ path: { id }, body, person, ip }) {
      const actor: Actor = { actorId: person.user.id, ip }
      const changes = {
        roles: body.roles,
        disabled: body.disabled,
        mustChangePassword: body.must_change_password,
        endSessions: body.end_sessions,
      }
      const { user } = await asFieldProblems(() => administration.change(id, changes, actor))
      if (body.unlock) await unlock(guesses, user, administration, actor)
      return { status: 200, body: managedPersonOf(user) }
    },
  })
}

async function unlock(
  guesses: GuessLimiter,
  { id, username, email }: User,
  administration: UserAdministration,
  actor: Actor,
): Promise<void> {
  const names = [username, email].filter((name) => name !== null)
  await guesses.unlock(id, names)
  await administration.noteUnlocked(id, actor)
}

function remove({ administration }: Dependencies): Operation {
  return operation({
    method: 'delete',
    path: '/api/v1/users/{id}',
    tag: 'Administration: people',
    summary: 'Delete a person; only an anonymous audit trail remains',
    access: 'administrator',
    pathParams: idPath,
    responses: { 204: done },
    async handle({ path, person, ip }) {
      await asFieldProblems(() => administration.delete(path.id, { actorId: person.user.id, ip }))
      return { status: 204 }
    },
  })
}
