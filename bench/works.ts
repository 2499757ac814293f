import { clientCredentials } from './works/client-credentials.ts'
import { introspection, introspectionWithoutRedis } from './works/introspection.ts'
import { jwks, jwksUnchanged } from './works/jwks.ts'
import { password } from './works/password.ts'
import { refresh } from './works/refresh.ts'
import type { OpenWork } from './world.ts'

const works: Readonly<Record<string, OpenWork>> = {
  client_credentials: clientCredentials,
  refresh,
  password,
  introspection,
  introspection_without_redis: introspectionWithoutRedis,
  jwks,
  jwks_304: jwksUnchanged,
}

export const workNames = Object.keys(works)

export const worksNamed = (names: readonly string[]): OpenWork[] =>
  Object.entries(works)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(([, open]) => open)
