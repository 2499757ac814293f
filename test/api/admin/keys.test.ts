import test from 'ava'
import { startConformingServer } from '../../support/http/conformance.ts'
import { addAdmin } from '../../support/people/administrator.ts'

test('administrators see the signing keys and their times, and no private key', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { status, headers, text, body } = await admin.get('keys')
  t.is(status, 200)
  t.is(headers.get('cache-control'), 'no-store')
  t.deepEqual(body.keys.map(({ state }: { state: string }) => state).sort(), ['active', 'upcoming'])
  const published = (await server.get('/.well-known/jwks.json')).body.keys
  const kids = (keys: { kid: string }[]) => keys.map(({ kid }) => kid).sort()
  t.deepEqual(kids(body.keys), kids(published))
  t.notRegex(text, /jwe|private|"d"|master/)
})

test('signing keys cannot be changed over HTTP', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { body } = await admin.get('keys')
  t.is((await admin.post('keys', {})).status, 405)
  t.is((await admin.delete(`keys/${body.keys[0].kid}`)).status, 404)
  t.deepEqual((await admin.get('keys')).body, body)
})
