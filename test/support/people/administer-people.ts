import type { User } from '../../../src/users/user.ts'
import type { TestServer } from '../server/start-server.ts'

/** The commands of `signet users`, by username. */

export async function named({ services }: TestServer, name: string): Promise<User> {
  const user = await services.users.findAny(name)
  if (!user) throw new Error(`there is no ${name}`)
  return user
}

export async function disable(server: TestServer, name: string): Promise<{ sessions: number }> {
  const { id } = await named(server, name)
  const { sessions } = await server.services.administration.disable(id)
  return { sessions }
}

export async function setPassword(
  server: TestServer,
  name: string,
  password: string,
): Promise<{ sessions: number }> {
  const user = await named(server, name)
  const { sessions } = await server.services.credentials.set(user, password)
  return { sessions }
}

/** Somebody whose password has just been checked. */
export async function checked(server: TestServer, name: string, password: string) {
  const { users } = server.services
  return users.authenticate(await users.candidate(name), password)
}
