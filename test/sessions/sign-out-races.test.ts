// Alone: its hundreds of statements at once would hold up every other test of the process.
import test, { type ExecutionContext } from 'ava'
import type { Credentials } from '../../tools/http-client.ts'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  signOut,
  writeCode,
} from '../support/clients/signed-in-apps.ts'
import { addPerson } from '../support/people/account-api.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const rounds = 60

/** Two instances with open connections: otherwise the first callers would wait while others finish. */
async function scene(t: ExecutionContext<unknown>) {
  const server = await startServer(t, { unthrottled: true })
  const other = await startServer(t, { beside: server, unthrottled: true })
  for (const { db } of [server, other]) {
    await Promise.all(Array.from({ length: 8 }, () => db.raw('SELECT pg_sleep(0.02)')))
  }
  const web = await addWebApp(server, 'web')
  return { server, other, web }
}

const live = ({ db }: TestServer) => db('refresh_families').whereNull('revoked_at').pluck('sid')

/** The order in which the statements arrive differs from round to round. */
const shuffled = <T>(calls: readonly (() => Promise<T>)[], round: number): Promise<T[]> => {
  const turned = round % calls.length
  return Promise.all([...calls.slice(turned), ...calls.slice(0, turned)].map((call) => call()))
}

test('sign-out × redeem of two codes, 60 rounds → no session survives', async (t) => {
  const { server, other, web } = await scene(t)
  let begun = 0
  for (let round = 0; round < rounds; round += 1) {
    const browser = await signInBrowser(server)
    const codes = [
      await writeCode(server, web.id, browser),
      await writeCode(server, web.id, browser),
    ]
    const redeem = (at: number) => async () => {
      const { services } = at === 0 ? server : other
      const presented = codes[at]?.presented
      if (presented && !('refused' in (await services.codes.redeem(presented)))) begun += 1
    }
    await shuffled<unknown>([redeem(0), () => signOut(other, browser), redeem(1)], round)
    t.deepEqual(await live(server), [])
    t.is(await server.services.browsers.find(browser.cookie), undefined)
  }
  t.true(begun > 0, 'some were faster than the sign-out')
  const revoked = await server.db('revocations').where({ kind: 'sid' })
  t.is(revoked.length, begun, 'and each of these was revoked')
})

test('sign-out × refresh, 60 rounds → no token of the session works afterwards', async (t) => {
  const { server, other, web } = await scene(t)
  for (let round = 0; round < rounds; round += 1) {
    const browser = await signInBrowser(server)
    const { refreshToken } = await enterWebApp(server, web, browser)
    const rotate = ({ services }: TestServer) =>
      services.refreshRotation.rotate(services.codec.decode(refreshToken), {
        clientId: web.id,
        idleSeconds: 86_400,
      })
    const results = await shuffled<Awaited<ReturnType<typeof rotate>> | undefined>(
      [
        () => rotate(server),
        () => signOut(other, browser).then(() => undefined),
        () => rotate(other),
      ],
      round,
    )
    const tokens = results.map((result) => result && 'token' in result && result.token)
    for (const token of [refreshToken, ...tokens]) {
      if (token) t.is(await server.services.families.find(token), undefined)
    }
    t.deepEqual(await live(server), [])
  }
})

test('RFC 6749 §4.1.2: one code × eight redemptions, 40 rounds → one winner, whose session the replay ends', async (t) => {
  const { server, other, web } = await scene(t)
  const browser = await signInBrowser(server)
  for (let round = 0; round < 40; round += 1) {
    const { presented } = await writeCode(server, web.id, browser)
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        (at % 2 === 0 ? server : other).services.codes.redeem(presented),
      ),
    )
    const refused = results.flatMap((result) => ('refused' in result ? [result.refused] : []))
    t.is(refused.length, 7, 'one winner')
    t.deepEqual([...new Set(refused)], ['code_reused'])
    t.deepEqual(await live(server), [])
  }
})

/** A change that ends everything of a person or client, against the redemption of a code. */
type Ending = (server: TestServer, of: { userId: string; web: Credentials }) => Promise<unknown>

const endings: Readonly<Record<string, Ending>> = {
  'disable the person': ({ services }, { userId }) => services.administration.disable(userId),
  'delete the person': ({ services }, { userId }) => services.administration.delete(userId),
  'sign out everywhere': ({ services }, { userId }) =>
    services.userSessions.endAll(userId, '192.0.2.1'),
  'disable the client': ({ services }, { web }) => services.clients.disable(web.id),
}

for (const [name, end] of Object.entries(endings)) {
  test(`redeem × ${name}, 20 rounds → no session survives, and none deadlocks`, async (t) => {
    const { server, other } = await scene(t)
    for (let round = 0; round < 20; round += 1) {
      const { id: userId } = await addPerson(server, `grace${round}`)
      const web = await addWebApp(server, `web-${round}`)
      const browser = await signInBrowser(server, `grace${round}`)
      const { presented } = await writeCode(server, web.id, browser)
      const calls = [
        () => server.services.codes.redeem(presented),
        () => end(other, { userId, web }),
      ]
      await shuffled<unknown>(calls, round)
      t.deepEqual(await live(server), [])
    }
  })
}
