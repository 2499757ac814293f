import { asked, counted } from '../contest.ts'
import { plantSessions, refreshTokens } from '../sessions.ts'
import { form, type OpenWork, processesOf, type Setup, startBench, threads } from '../setup.ts'
import { openPeer } from './peer.ts'

const connections = 64
/** Each refreshed by its own chain; every round ends with as many lost as there are connections. */
const sessionsFor = ({ pace }: Setup) => 2048 + connections * (pace.rounds + 1)

export const before = 'grant_type=refresh_token&refresh_token='

/** A rotation that is durable before it is answered, and a signature. */
export const refresh: OpenWork = async (setup) => {
  const signatures = startBench('limits/signatures.mjs', threads)
  const peers = [
    await openPeer(setup, 'oidc-provider'),
    await openPeer(setup, 'oidc-provider', { onPostgres: true }),
    await openPeer(setup, 'oauth2-server', { onPostgres: true }),
  ]
  const sessions = sessionsFor(setup)
  const job = { method: 'POST', connections }
  const ours = setup.builds.map(async (build) => {
    const { installation, server, name } = build
    await plantSessions(installation, 10_000)
    const tokens = await refreshTokens(installation, sessions)
    return asked(
      build,
      setup.generator,
      {
        ...{ ...job, url: `${server.url}/oauth/token`, chain: { name, tokens, before } },
        headers: { ...form, authorization: installation.basic },
      },
      processesOf(setup, server.child),
    )
  })
  const theirs = peers.map(async (peer) => {
    const chain = { name: `refresh ${peer.name}`, tokens: await peer.seed(sessions), before }
    const headers = { ...form, authorization: peer.basic }
    const contestant = { name: peer.name, role: 'peer' } as const
    const processes = { server: peer.child.pid, postgres: setup.stage.postgres.pid }
    return asked(
      ...([contestant, setup.generator, { ...job, url: peer.tokenUrl, headers, chain }] as const),
      processes,
    )
  })
  return {
    name: 'refresh_token',
    title: '`refresh_token`',
    limit: 'RSA-2048 signatures of node:crypto on all cores',
    goal: '≥ 55 %; ≥ 3× oidc-provider on PostgreSQL',
    contestants: [
      ...(await Promise.all(ours)),
      counted('signatures', signatures),
      ...(await Promise.all(theirs)),
    ],
    close: async () => {
      for (const child of [signatures, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}
