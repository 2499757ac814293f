import type { TestServer } from './start-server.ts'

/** The client and the person that a first start makes, with secrets that this test knows. */
export async function likeFirstStart({ services, app }: TestServer) {
  const { secret } = await services.clients.create({
    id: 'demo',
    name: 'Demo',
    firstParty: true,
    grantTypes: ['password', 'refresh_token', 'client_credentials'],
    scopes: ['read', 'write', 'offline_access'],
    audiences: [app.issuer],
  })
  const password = 'the password of admin'
  await services.users.create({ username: 'admin', password, roles: ['admin'] })
  return { demo: { id: 'demo', secret: secret as string }, password }
}
