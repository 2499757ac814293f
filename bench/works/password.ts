import { asked, counted } from '../contest.ts'
import { person } from '../signet.ts'
import { form, type OpenWork, processesOf, startBench, threads } from '../world.ts'
import { openPeer } from './peer.ts'

/** People take turns, so that none of them has more attempts under way than one. */
const people = 1000

/** A sign-in: a password check, a session that is durable before it is answered, a signature. */
export const password: OpenWork = async (world) => {
  const checks = startBench('limits/password-checks.mjs', threads)
  const peers = [await openPeer(world, 'oauth2-server', { onPostgres: true, people })]
  const bodies = Array.from({ length: people }, (_, n) =>
    new URLSearchParams({
      ...{ grant_type: 'password', username: `bench-${n + 1}`, password: person.password },
      scope: 'read offline_access',
    }).toString(),
  )
  const job = { method: 'POST', connections: 8, bodies }
  return {
    name: 'password',
    title: '`password`',
    limit: 'argon2id checks (19 MiB, t=2) on all cores',
    goal: '≥ 90 %',
    contestants: [
      ...world.builds.map((build) => {
        const { installation, server } = build
        const headers = { ...form, authorization: installation.basic }
        const url = `${server.url}/oauth/token`
        const processes = processesOf(world, server.child)
        return asked(build, world.generator, { ...job, url, headers }, processes)
      }),
      counted('argon2', checks),
      ...peers.map((peer) => {
        const headers = { ...form, authorization: peer.basic }
        const processes = { server: peer.child.pid, postgres: world.stage.postgres.pid }
        const contestant = { name: peer.name, role: 'peer' } as const
        return asked(
          ...([contestant, world.generator, { ...job, url: peer.tokenUrl, headers }] as const),
          processes,
        )
      }),
    ],
    close: async () => {
      for (const child of [checks, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}
