import { type OpenWork, startBench, threads } from '../setup.ts'
import { person } from '../signet.ts'
import { openPeer } from './peer.ts'
import { tokenContest } from './token-contest.ts'

/** People take turns, so that none of them has more attempts under way than one. */
const people = 1000

/** A sign-in: a password check, a session that is durable before it is answered, a signature. */
export const password: OpenWork = async (setup) => {
  const bodies = Array.from({ length: people }, (_, n) =>
    new URLSearchParams({
      ...{ grant_type: 'password', username: `bench-${n + 1}`, password: person.password },
      scope: 'read offline_access',
    }).toString(),
  )
  return tokenContest(setup, {
    name: 'password',
    title: '`password`',
    limit: 'argon2id checks (19 MiB, t=2) on all cores',
    goal: '≥ 90 %',
    job: { connections: 8, bodies },
    counting: { name: 'argon2', child: startBench('limits/password-checks.mjs', threads) },
    peers: [await openPeer(setup, 'oauth2-server', { onPostgres: true, people })],
  })
}
