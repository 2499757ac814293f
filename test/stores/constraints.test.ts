import test from 'ava'
import { startServer } from '../support/server/start-server.ts'

const checkViolation = '23514'

test('contradictory rows → refused by constraints', async (t) => {
  const server = await startServer(t)
  await server.signIn()
  const cases: [string, string][] = [
    ['clients', `id = 'white space'`],
    ['clients', `id = ''`],
    ['clients', `token_endpoint_auth_method = 'tls_client_auth'`],
    ['clients', `token_endpoint_auth_method = 'private_key_jwt'`],
    ['clients', `jwks = '{"keys":[]}'`],
    ['clients', `first_party = false`],
    ['clients', `token_endpoint_auth_method = 'none'`],
    ['clients', `default_scopes = '{admin}'`],
    ['clients', `audiences = '{}'`],
    ['clients', `refresh_tokens = 'sometimes'`],
    ['clients', `access_token_seconds = 0`],
    ['clients', `session_idle_seconds = 0`],
    ['clients', `session_absolute_seconds = -1`],
    ['client_secrets', `slot = 3`],
    ['client_secrets', `digest = 'plain'`],
    ['users', `username = ''`],
    ['users', `username = repeat('x', 201)`],
    ['refresh_families', `seed_digest = 'short'`],
    ['refresh_families', `revoked_at = now()`],
    ['refresh_families', `revoked_reason = 'reuse'`],
  ]
  for (const [table, change] of cases) {
    const { code } =
      (await t.throwsAsync<Error & { code: string }>(
        server.db.raw(`UPDATE ${table} SET ${change}`) as unknown as Promise<unknown>,
        undefined,
        `${table} SET ${change}`,
      )) ?? {}
    t.is(code, checkViolation, `${table} SET ${change}`)
  }
  const row = { kind: 'everything', value: 'x', revoked_at: new Date(), expires_at: new Date() }
  await t.throwsAsync(async () => server.db('revocations').insert(row), { code: checkViolation })
})

test('usernames that differ only in case → refused by the table', async (t) => {
  const server = await startServer(t)
  const [ada] = await server.db('users')
  const twin = { ...ada, id: '00000000-0000-7000-8000-000000000000', username: 'ADA' }
  await t.throwsAsync(async () => server.db('users').insert(twin), { code: '23505' })
})
