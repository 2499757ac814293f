import type { NewUser } from '../../../src/users/new-user.ts'
import type { Answer } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'

/** The JSON API below /api/v1/auth, without or with an access token. */
export function accountApi(server: TestServer, accessToken?: string) {
  const call =
    (method: string) =>
    (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
      server.request(`/api/v1/auth/${path}`, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
  const get = (path: string) => call('GET')(path)
  return { get, post: call('POST'), patch: call('PATCH'), delete: call('DELETE') }
}

export type AccountApi = ReturnType<typeof accountApi>

export const goodPassword = 'seven lamps over the harbour'
export const otherPassword = 'nine owls under the viaduct'

/** Somebody with a proven address. */
export async function addPerson(
  { services }: TestServer,
  username: string,
  different: Partial<NewUser> = {},
) {
  const email = `${username}@people.example`
  const person = { username, email, emailVerified: true, password: goodPassword }
  return services.users.create({ ...person, ...different })
}

/** Signs in, with the tokens and the API as that session sees it. */
export async function enter(server: TestServer, username: string, password = goodPassword) {
  const { status, body, text } = await accountApi(server).post('login', { username, password })
  if (status !== 200) throw new Error(`${username} cannot sign in: ${text}`)
  return { ...accountApi(server, body.access_token), tokens: body }
}

/** Pointers of the fields that a problem names. */
export const pointers = ({ body }: Answer): string[] =>
  (body?.errors ?? []).map(({ pointer }: { pointer: string }) => pointer).sort()

export const problemType = ({ body }: Answer): string =>
  String(body?.type).replace('urn:signet:problem:', '')
