import test from 'ava'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { addPerson, enter } from '../support/people/account-api.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 6750 §2, §3.1: two Authorization headers at the JSON API → 400', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'grace')
  const { tokens } = await enter(server, 'grace')
  const good = `Bearer ${tokens.access_token}`
  const send = (first: string, second: string) =>
    sendRaw(
      server.url,
      rawRequest('GET', '/api/v1/auth/me', { authorization: first, Authorization: second }),
    )
  for (const [first, second] of [
    [good, 'Bearer x'],
    ['Bearer x', good],
    [good, good],
    [good, 'Basic eDp5'],
  ] as const) {
    const { status, headers, body } = await send(first, second)
    t.is(status, 400)
    t.is(JSON.parse(body).type, 'urn:signet:problem:malformed-request')
    t.is(headers.get('www-authenticate'), 'Bearer realm="signet", error="invalid_request"')
  }
  t.is((await server.get('/api/v1/auth/me', { authorization: good })).status, 200)
})
