import test from 'ava'
import type { Answer } from '../../tools/http-client.ts'
import { accountApi, addPerson } from '../support/people/account-api.ts'
import { startServer } from '../support/server/start-server.ts'

test('ASVS 16.3.3: a throttled request is counted and logged with the limit that it exceeded', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  await addPerson(server, 'grace')
  const counted = async (policy: string) => {
    const { values } = await server.services.metrics.throttled.get()
    return values.find(({ labels }) => labels.policy === policy)?.value ?? 0
  }
  const throttledLines = () =>
    lines.map((line) => JSON.parse(line)).filter(({ status }) => status === 429)
  t.deepEqual(throttledLines(), [])
  const answers: Answer[] = []
  for (let guess = 0; guess < 12; guess += 1) {
    const password = `a guess, no. ${guess}`
    answers.push(await accountApi(server).post('login', { username: 'grace', password }))
    answers.push(await server.signIn({ username: 'grace', password }))
  }
  const refused = answers.filter(({ status }) => status === 429)
  t.true(refused.length > 10)
  const named = ({ headers }: Answer) =>
    /"([\w-]+)"/.exec(headers.get('ratelimit') ?? '')?.[1] ?? ''
  const policies = new Set(refused.map(named))
  t.false(policies.has(''))
  for (const policy of policies) {
    const own = refused.filter((answer) => named(answer) === policy)
    t.is(await counted(policy), own.length, policy)
    t.is(throttledLines().filter((line) => line.policy === policy).length, own.length, policy)
  }
  t.true(throttledLines().every(({ ip }) => ip === '127.0.0.1'))
  t.false(lines.join('').includes('a guess'))
})
