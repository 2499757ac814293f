import { asked, counted } from '../contest.ts'
import { form, type OpenWork, processesOf, startBench, threads } from '../world.ts'
import { openPeer } from './peer.ts'

/** The work of a machine-to-machine token: authenticate a client, sign. */
export const clientCredentials: OpenWork = async (world) => {
  const signatures = startBench('limits/signatures.mjs', threads)
  const peers = [await openPeer(world, 'oidc-provider'), await openPeer(world, 'oauth2-server')]
  const job = { method: 'POST', connections: 64, body: 'grant_type=client_credentials' }
  return {
    name: 'client_credentials',
    title: '`client_credentials`',
    limit: 'RSA-2048 signatures of node:crypto on all cores',
    goal: '≥ 75 %; ≥ 1.6× oidc-provider',
    contestants: [
      ...world.builds.map((build) => {
        const { installation, server } = build
        const headers = { ...form, authorization: installation.basic }
        const url = `${server.url}/oauth/token`
        const processes = processesOf(world, server.child)
        return asked(build, world.generator, { ...job, url, headers }, processes)
      }),
      counted('signatures', signatures),
      ...peers.map((peer) =>
        asked(
          { name: peer.name, role: 'peer' },
          world.generator,
          { ...job, url: peer.tokenUrl, headers: { ...form, authorization: peer.basic } },
          { server: peer.child.pid },
        ),
      ),
    ],
    close: async () => {
      for (const child of [signatures, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}
