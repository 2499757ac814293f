import type { Child } from '../child.ts'
import { asked, type Contestant, counted, type Work } from '../contest.ts'
import { form, processesOf, type Setup } from '../setup.ts'
import type { Peer, Processes } from './peer.ts'

interface TokenWork extends Pick<Work, 'name' | 'title' | 'limit' | 'goal'> {
  /** The request that every contestant gets. */
  readonly job: Readonly<Record<string, unknown>>
  /** The work that every token needs, and the program that does only that. */
  readonly counting: { readonly name: string; readonly child: Child }
  readonly peers: readonly Pick<Peer, 'name' | 'tokenUrl' | 'basic' | 'processes' | 'child'>[]
}

/** Every build and every peer is asked for tokens in the same way. */
export function tokenContest(
  setup: Setup,
  { job, counting, peers, ...described }: TokenWork,
): Work {
  const at = (
    contestant: Pick<Contestant, 'name' | 'role'>,
    url: string,
    basic: string,
    processes: Processes,
  ) => {
    const headers = { ...form, authorization: basic }
    return asked(contestant, setup.generator, { ...job, method: 'POST', url, headers }, processes)
  }
  return {
    ...described,
    contestants: [
      ...setup.builds.map((build) => {
        const { installation, server } = build
        const processes = processesOf(setup, server.child)
        return at(build, `${server.url}/oauth/token`, installation.basic, processes)
      }),
      counted(counting.name, counting.child),
      ...peers.map(({ name, tokenUrl, basic, processes }) =>
        at({ name, role: 'peer' }, tokenUrl, basic, processes),
      ),
    ],
    close: async () => {
      for (const child of [counting.child, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}
