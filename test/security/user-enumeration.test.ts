// Alone: it compares how much CPU time answers take.
import test from 'ava'
import type { Answer, Form } from '../../tools/http-client.ts'
import { disable } from '../support/people/administer-people.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const password = 'a wrong password'
const attempts: Record<string, Form> = {
  'a wrong password': { username: 'ada', password },
  'an unknown person': { username: 'nobody', password },
  'a disabled person': { username: 'grace', password },
  'a disabled person with the right password': {
    username: 'grace',
    password: 'the right password',
  },
  'an impossible name': { username: "x' OR 1=1 --\n", password },
  'an endless name': { username: 'x'.repeat(10_000), password },
  'an empty-looking name': { username: ' ', password },
  'an endless password': { username: 'ada', password: 'x'.repeat(10_000) },
}

async function withGrace(server: TestServer): Promise<void> {
  await server.services.users.create({
    username: 'grace',
    password: 'the right password',
    roles: [],
  })
  await disable(server, 'grace')
}

/** Everything that a caller sees, except for what differs between any two answers. */
function seen({ status, headers, text }: Answer): string {
  const kept = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  return JSON.stringify([status, kept, text])
}

test('ASVS 6.3.8: unknown, disabled and wrong password → one answer, byte by byte', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  await withGrace(server)
  const expected = seen(await server.signIn(attempts['a wrong password']))
  t.regex(expected, /^\[400,.*invalid_grant/)
  for (const [name, form] of Object.entries(attempts)) {
    t.is(seen(await server.signIn(form)), expected, name)
  }
  const known = await server.signIn({ ...attempts['a wrong password'], scope: 'admin' })
  const unknown = await server.signIn({ ...attempts['an unknown person'], scope: 'admin' })
  t.is(seen(known), seen(unknown), 'nor does a further mistake tell them apart')
})

test('ASVS 6.3.8: unknown, disabled and wrong password → exactly one password check', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  await withGrace(server)
  const { bulkhead } = server.services
  const run = bulkhead.run.bind(bulkhead)
  let checks = 0
  bulkhead.run = (job, ip) => {
    checks += 1
    return run(job, ip)
  }
  for (const [name, form] of Object.entries(attempts)) {
    checks = 0
    t.is((await server.signIn(form)).status, 400)
    t.is(checks, 1, name)
  }
  checks = 0
  t.is((await server.signIn()).status, 200)
  t.is(checks, 1, 'as the right password does')
})

test('ASVS 6.3.8: unknown, disabled and wrong password → the same median CPU time', async (t) => {
  const environment = { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' }
  const server = await startServer(t, { unthrottled: true, environment })
  await withGrace(server)
  // Ada's hash has a lower cost: a sign-in renews it.
  t.is((await server.signIn()).status, 200)
  const kinds = Object.entries(attempts).slice(0, 4)
  const costs = new Map(kinds.map(([name]) => [name, [] as number[]]))
  for (let round = 0; round < 7; round += 1) {
    for (const [name, form] of kinds) {
      // CPU time of all threads of this process, where the server runs too. Unlike elapsed time it does not
      // include the load of other processes.
      const before = process.cpuUsage()
      await server.signIn(form)
      const { user, system } = process.cpuUsage(before)
      costs.get(name)?.push((user + system) / 1000)
    }
  }
  const medians = [...costs].map(([name, all]) => [name, median(all)] as const)
  const least = Math.min(...medians.map(([, middle]) => middle))
  for (const [name, middle] of medians) {
    t.true(middle < 1.7 * least, `${name}: ${middle} ms against ${least} ms`)
  }
})

const median = (numbers: number[]): number =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
