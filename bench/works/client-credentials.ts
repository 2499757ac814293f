import { type OpenWork, startBench, threads } from '../setup.ts'
import { openPeer } from './peer.ts'
import { tokenContest } from './token-contest.ts'

/** The work of a machine-to-machine token: authenticate a client, sign. */
export const clientCredentials: OpenWork = async (setup) => {
  const bare = startBench('limits/koa-tokens.mjs', threads)
  const { port } = await bare.ask<{ port: number }>({})
  return tokenContest(setup, {
    name: 'client_credentials',
    title: '`client_credentials`',
    limit: 'RSA-2048 signatures of node:crypto on all cores',
    goal: '≥ 75 %; ≥ 1.6× oidc-provider',
    job: { connections: 64, body: 'grant_type=client_credentials' },
    counting: { name: 'signatures', child: startBench('limits/signatures.mjs', threads) },
    peers: [
      await openPeer(setup, 'oidc-provider'),
      await openPeer(setup, 'oauth2-server'),
      // For its latencies: nobody is authenticated.
      {
        name: 'bare Koa that signs',
        tokenUrl: `http://127.0.0.1:${port}/token`,
        basic: '-',
        processes: { server: bare.pid },
        child: bare,
      },
    ],
  })
}
