import type { NewUser } from '../../../src/users/new-user.ts'
import type { Answer } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'
import { accountApi, addPerson, goodPassword } from './account-api.ts'

/** The administrators' API, below /api/v1, with an access token. */
export function adminApi(server: TestServer, accessToken?: string) {
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    server.request(`/api/v1/${path}`, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  return {
    get: (path: string) => call('GET', path),
    post: (path: string, body: unknown) => call('POST', path, body),
    patch: (path: string, body: unknown) => call('PATCH', path, body),
    delete: (path: string) => call('DELETE', path),
  }
}

export type AdminApi = ReturnType<typeof adminApi>

/** An administrator who is signed in for it. */
export async function addAdmin(
  server: TestServer,
  username = 'root',
  different: Partial<NewUser> = {},
) {
  const { id } = await addPerson(server, username, { roles: ['admin'], ...different })
  const login = { username, password: goodPassword, scope: 'account admin' }
  const { body, text } = await accountApi(server).post('login', login)
  if (!body.access_token) throw new Error(`${username} cannot sign in: ${text}`)
  return { id, token: body.access_token as string, ...adminApi(server, body.access_token) }
}
