import test from 'ava'
import { ada, app } from '../support/fixtures.ts'
import { basic } from '../support/requests.ts'
import { startServer } from '../support/start-server.ts'

test('ASVS 6.3.1: one address cannot keep others from signing in by signing in much', async (t) => {
  const environment = { TRUSTED_PROXIES: 'loopback', PASSWORD_CONCURRENCY: '1' }
  const server = await startServer(t, { environment, unthrottled: true })
  const many = 40
  await server.db.raw(
    `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
     SELECT gen_random_uuid(), 'ada' || n, password_hash, password_changed_at, roles, created_at
       FROM users, generate_series(1, ?::int) AS n WHERE username = 'ada'`,
    [many],
  )
  const signIn = async (username: string, from: string) => {
    const { password } = ada
    const { status } = await server.request('/oauth/token', {
      method: 'POST',
      headers: { authorization: basic(app), 'x-forwarded-for': from },
      body: new URLSearchParams({ grant_type: 'password', username, password }),
    })
    return status
  }
  const order: string[] = []
  const crowd = Array.from({ length: many }, async (_, n) => {
    const status = await signIn(`ada${n + 1}`, '203.0.113.7')
    order.push('crowd')
    return status
  })
  const alone = signIn('ada', '198.51.100.1').then((status) => {
    order.push('alone')
    return status
  })
  t.is(await alone, 200)
  const statuses = await Promise.all(crowd)
  const after = order.slice(order.indexOf('alone') + 1).length
  t.true(after >= many / 2, `${after} of ${many} were answered after the one who came last`)
  t.true(statuses.every((status) => status === 200 || status === 503))
})
