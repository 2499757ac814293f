import pg from 'pg'
import { asked, type Contestant, type Sample, withoutTokens } from '../contest.ts'
import { processesOf, type Setup } from '../setup.ts'
import { type Installation, type Server, serve } from '../signet.ts'

const warmUpSeconds = 2

/**
 * Refreshes while the janitor sweeps every second, sixty times as often as it does by default, beside
 * refreshes without it. Each round has a server of its own: an idle one would go on sweeping.
 */
export function sweeping(
  setup: Setup,
  installation: Installation,
  job: Readonly<Record<string, unknown>>,
): { contestants: Contestant[]; deleted: () => number } {
  let deleted = 0
  // The generator keeps the chains: a second time would be with tokens that are spent.
  let once = job
  const withServer = async (janitorSeconds: string, seconds: number): Promise<Sample> => {
    const server = await serve(setup.stage, installation, {
      env: { JANITOR_SECONDS: janitorSeconds },
    })
    try {
      const one = asked(...contender(setup, server, once))
      once = withoutTokens(job)
      await one.measure(warmUpSeconds)
      const before = await sweptBy(installation)
      const sample = await one.measure(seconds)
      deleted += (await sweptBy(installation)) - before
      return sample
    } finally {
      await server.child.close()
    }
  }
  return {
    contestants: [
      {
        ...{ name: 'while the janitor deletes', role: 'signet' },
        measure: (seconds) => withServer('1', seconds),
      },
      {
        ...{ name: 'without', role: 'limit' },
        measure: (seconds) => withServer('86400', seconds),
      },
    ],
    deleted: () => deleted,
  }
}

const contender = (setup: Setup, server: Server, job: Readonly<Record<string, unknown>>) =>
  [
    { name: 'refresh', role: 'signet' },
    setup.generator,
    { ...job, url: `${server.url}/oauth/token` },
    processesOf(setup, server.child),
  ] as const

async function sweptBy({ databaseUrl }: Installation): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client
    .query(`SELECT rows::float FROM janitor_runs WHERE task = 'sessions'`)
    .finally(() => client.end())
  return rows[0]?.rows ?? 0
}
