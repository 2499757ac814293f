import test from 'ava'
import { app } from '../../tools/fixtures.ts'
import type { Answer, Form } from '../../tools/http-client.ts'
import { register, registerPublic } from '../support/clients/clients.ts'
import { startServer } from '../support/server/start-server.ts'

/** Everything that a caller sees, except for what differs between any two answers. */
function seen({ status, headers, text }: Answer): string {
  const kept = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  return JSON.stringify([status, kept, text])
}

test('RFC 6749 §5.2: unknown, disabled, wrong secret, wrong method: one answer, byte by byte', async (t) => {
  const server = await startServer(t)
  await register(server, 'gone')
  await server.services.clients.disable('gone')
  await registerPublic(server, 'mobile')
  for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
    const form = { grant_type: 'client_credentials', token: 'x' }
    const answers: Record<string, Answer> = {}
    for (const id of ['app', 'nobody', 'gone', 'mobile', "x'--", 'x'.repeat(200)]) {
      const body: Form = { ...form, client_id: id, client_secret: 'wrong' }
      answers[`${id} in the header`] = await server.post(path, form, { id, secret: 'wrong' })
      answers[`${id} in the body`] = await server.post(path, body, null)
      if (id !== 'mobile') {
        answers[`${id} by name`] = await server.post(path, { ...form, client_id: id }, null)
      }
    }
    answers['a secret of another'] = await server.post(path, form, { ...app, id: 'gone' })
    answers['no client'] = await server.post(path, form, null)
    const expected = seen(answers['app in the header'] as Answer)
    t.regex(expected, /^\[401,/)
    for (const [name, answer] of Object.entries(answers)) t.is(seen(answer), expected, name)
  }
})
