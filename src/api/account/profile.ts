import { Readable } from 'node:stream'
import { z } from 'zod'
import type { Throttle } from '../../throttle/throttle.ts'
import { apiKeyMethod } from '../../tokens/api-keys.ts'
import type { UserAdministration } from '../../users/administration.ts'
import type { PersonalData } from '../../users/personal-data.ts'
import { managedPerson, personOf, person as personSchema } from '../../users/user.ts'
import type { Users } from '../../users/users.ts'
import { type Operation, operation } from '../operation.ts'
import { invalidField, Problem } from '../problem.ts'
import type { CookieMode } from './cookie-mode.ts'
import { asFieldProblems, confirmed } from './refusals.ts'
import { done, fullNameField, localeField, passwordField, usernameField } from './schemas.ts'

interface Dependencies {
  readonly users: Users
  readonly personalData: PersonalData
  readonly administration: UserAdministration
  readonly throttle: Throttle
  readonly cookieMode: CookieMode
}

/** Two paths of one resource. */
const paths = ['/api/v1/auth/me', '/api/v1/users/me']

/** A person's own profile. */
export const profileOperations = (deps: Dependencies): Operation[] => [
  ...paths.flatMap((path) => [get(path), change(path, deps), remove(path, deps)]),
  exportData(deps),
]

const get = (path: string): Operation =>
  operation({
    method: 'get',
    path,
    tag: 'Profile',
    summary: 'Your profile',
    access: 'person',
    responses: { 200: { description: 'You', schema: personSchema } },
    async handle({ person }) {
      return { status: 200, body: personOf(person.user) }
    },
  })

function change(path: string, deps: Dependencies): Operation {
  return operation({
    method: 'patch',
    path,
    tag: 'Profile',
    summary: 'Change your name, your language, or, with your password, your username',
    access: 'person',
    body: z
      .strictObject({
        username: usernameField,
        full_name: fullNameField.nullable(),
        locale: localeField.nullable(),
        password: passwordField.meta({ description: 'Required to change the username' }),
      })
      .partial(),
    responses: { 200: { description: 'You', schema: personSchema } },
    async handle({ body, person, ip }) {
      const { id, username: before } = person.user
      const username = body.username === before ? undefined : body.username
      const changes = { username, fullName: body.full_name, locale: body.locale }
      const user = await asFieldProblems(async () => {
        if (username !== undefined) await confirmRename(deps, { id, ip }, body.password)
        return deps.personalData.change(id, changes, ip)
      })
      return { status: 200, body: personOf(user) }
    },
  })
}

/** ASVS 7.5.1: people sign in with their username. The limit prevents a search for taken names. */
export async function confirmRename(
  { users, throttle }: Pick<Dependencies, 'users' | 'throttle'>,
  { id, ip }: { id: string; ip: string },
  password: string | undefined,
) {
  if (password === undefined) {
    throw invalidField('/password', 'Enter your password to change the username.')
  }
  await throttle.attempt('usernameChange', { person: id })
  await confirmed(throttle, id, () => users.requirePassword(id, password, { ip }))
}

function remove(path: string, deps: Dependencies): Operation {
  return operation({
    method: 'delete',
    path,
    tag: 'Profile',
    summary: 'Delete your account; only an anonymous audit trail remains',
    access: 'person',
    body: z.strictObject({ password: passwordField }),
    responses: { 204: done },
    async handle({ body, person, ip }) {
      const { id } = person.user
      await asFieldProblems(async () => {
        await confirmed(deps.throttle, id, () =>
          deps.users.requirePassword(id, body.password, { ip }),
        )
        await deps.administration.delete(id, { actorId: id, ip })
      })
      return { status: 204, cookies: deps.cookieMode.cleared }
    },
  })
}

function exportData(deps: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/auth/me/export',
    tag: 'Profile',
    summary: 'Everything that is stored about you',
    access: 'person',
    responses: {
      200: {
        description: 'As a file',
        schema: z.object({
          person: managedPerson,
          sessions: z.array(z.record(z.string(), z.unknown())),
          browser_sessions: z.array(z.record(z.string(), z.unknown())),
          consents: z.array(z.record(z.string(), z.unknown())),
          api_keys: z.array(z.record(z.string(), z.unknown())),
          mails: z.array(z.record(z.string(), z.unknown())),
          links: z.array(z.record(z.string(), z.unknown())),
          audit_events: z.array(z.record(z.string(), z.unknown())),
        }),
      },
    },
    async handle({ person, ip }) {
      if (person.token.claims.amr?.includes(apiKeyMethod)) {
        throw new Problem('forbidden', { detail: 'An API key cannot do this. Sign in.' })
      }
      await deps.throttle.attempt('personalDataExport', { person: person.user.id })
      const { person: about, lists } = await deps.personalData.export(person.user.id, ip)
      const body = Readable.from(exportDocument(about, lists))
      const headers = { 'content-disposition': 'attachment; filename="signet-export.json"' }
      return { status: 200, body, headers }
    },
  })
}

/** Streams JSON a page at a time. A truncated document is not valid JSON. */
export async function* exportDocument(
  person: object,
  lists: Readonly<Record<string, () => AsyncIterable<object[]>>>,
) {
  yield `{"person":${JSON.stringify(person)}`
  for (const [name, pages] of Object.entries(lists)) {
    let before = `,"${name}":[`
    for await (const page of pages()) {
      if (page.length === 0) continue
      yield `${before}${JSON.stringify(page).slice(1, -1)}`
      before = ','
    }
    yield before === ',' ? ']' : `${before}]`
  }
  yield '}'
}
