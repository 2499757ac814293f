import { availableParallelism } from 'node:os'
import { asked, type Contestant, contest } from './contest.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { form, processesOf, type Setup } from './setup.ts'
import { serve } from './signet.ts'
import { table } from './table.ts'
import { freshToken } from './works/introspection.ts'

/** The gain from more workers. */
export interface Scaling {
  readonly workers: number
  readonly outcomes: readonly Outcome[]
}

const paths = {
  '`client_credentials`': '/oauth/token',
  'introspection, live token': '/oauth/introspect',
  JWKS: '/.well-known/jwks.json',
}

/** The same works by one worker and by one for each core, in turn. */
export async function measureScaling(setup: Setup): Promise<Scaling> {
  const { pace, stage, generator } = setup
  const [build] = setup.builds
  if (!build) throw new Error('there is no build to start')
  const { installation } = build
  const workers = Math.max(2, availableParallelism())
  const start = (count: number) =>
    serve(stage, installation, { options: ['--workers', String(count)] })
  const servers = [
    { name: `${workers} workers`, role: 'signet', server: await start(workers) },
    { name: '1 worker', role: 'limit', server: await start(1) },
  ] as const
  const headers = { ...form, authorization: installation.basic }
  const token = await freshToken({ server: servers[1].server, installation })
  const jobs = {
    '/oauth/token': { method: 'POST', headers, body: 'grant_type=client_credentials' },
    '/oauth/introspect': { method: 'POST', headers, body: `token=${token}` },
    '/.well-known/jwks.json': { method: 'GET', headers: {} },
  }
  const outcomes: Outcome[] = []
  for (const [title, path] of Object.entries(paths)) {
    const contestants: Contestant[] = servers.map(({ server, ...who }) => {
      const job = { ...jobs[path as keyof typeof jobs], connections: 64, url: server.url + path }
      return asked(who, generator, job, processesOf(setup, server.child))
    })
    const close = async () => {}
    const work = {
      ...{ name: `workers ${path}`, title, limit: '1 worker', goal: '' },
      ...{ contestants, close },
    }
    outcomes.push(outcomeOf(work, await contest(work, pace, stage.say)))
  }
  for (const { server } of servers) await server.child.close()
  return { workers, outcomes }
}

export function scalingTable({ workers, outcomes }: Scaling): string {
  const rows = outcomes.map(({ title, standings }) => {
    const told = ['limit', 'signet'].flatMap((role) => {
      const found = standings.find((one) => one.role === role)
      const cost = Math.round(found?.cost.server ?? Number.NaN)
      return [Math.round(found?.perSecond.median ?? 0).toLocaleString('en'), String(cost)]
    })
    const times = standings.find(({ role }) => role === 'limit')?.ours.median ?? Number.NaN
    return [title, ...told, `${times.toFixed(2)}×`]
  })
  const cost = 'µs of a core'
  return table(['work', '1 worker, a second', cost, `${workers} workers`, cost, 'times'], rows)
}
