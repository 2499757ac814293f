import { asked, type Contestant, contest } from '../contest.ts'
import { type Outcome, outcomeOf } from '../outcome.ts'
import { plantSessions, refreshTokens } from '../sessions.ts'
import { form, processesOf, type Setup } from '../setup.ts'
import { type Installation, install, person, type Server, serve } from '../signet.ts'
import { before } from '../works/refresh.ts'
import { sweeping } from './janitor.ts'
import { plantDecisions, sizeOf, type TableSize } from './sizes.ts'

const people = 100_000
const sizes = { small: 10_000, large: 2_000_000 }
/** All over the table: each round meets pages that the one before has not warmed. */
const chains = { small: 9_000, large: 60_000 }
const expired = 500_000
const decisions = 100_000

/** The cost of large tables. */
export interface Tables {
  /** Large beside small, and with the janitor beside without. */
  readonly outcomes: readonly Outcome[]
  readonly sizes: readonly TableSize[]
  /** Rows a second that the janitor deleted while it was measured. */
  readonly deletedPerSecond: number
}

interface Size {
  readonly name: string
  readonly role: Contestant['role']
  readonly installation: Installation
  readonly server: Server
  readonly tokens: readonly string[]
}

export async function measureTables(setup: Setup): Promise<Tables> {
  const { pace, stage } = setup
  const all = [await open(setup, 'large', 'signet'), await open(setup, 'small', 'limit')]
  const [large] = all as [Size, Size]
  const outcomes = []
  for (const work of [refreshWork(setup, all), passwordWork(setup, all)]) {
    outcomes.push(outcomeOf(work, await contest(work, pace, stage.say)))
  }
  for (const { server } of all) await server.child.close()
  const sessionsSize = await sizeOf(large.installation, 'refresh_families')
  stage.say(`Planting ${expired} expired sessions for the janitor`)
  await plantSessions(large.installation, expired, { daysAgo: 40, say: stage.say })
  const chain = {
    name: 'janitor',
    tokens: await refreshTokens(large.installation, chains.large),
    before,
  }
  const { contestants, deleted } = sweeping(setup, large.installation, {
    ...{ ...job, connections: 64, headers: headersOf(large), chain },
  })
  const janitor = {
    ...describe('janitor', 'refresh while the janitor deletes', 'without it'),
    contestants,
  }
  outcomes.push(
    outcomeOf(janitor, await contest(janitor, { ...pace, warmUpSeconds: 1 }, stage.say)),
  )
  await plantDecisions(large.installation, decisions)
  return {
    outcomes,
    sizes: [
      sessionsSize,
      await sizeOf(large.installation, 'revocations'),
      await sizeOf(large.installation, 'audit_events'),
    ],
    deletedPerSecond: deleted() / (pace.rounds * pace.seconds + 1),
  }
}

async function open(
  setup: Setup,
  name: keyof typeof sizes,
  role: Contestant['role'],
): Promise<Size> {
  const { stage } = setup
  stage.say(`Making ${people} people and ${sizes[name]} sessions`)
  const installation = await install(stage, { name: `tables_${name}`, people })
  await plantSessions(installation, sizes[name], { say: stage.say })
  const tokens = await refreshTokens(installation, chains[name])
  const server = await serve(stage, installation, { env: { JANITOR_SECONDS: '86400' } })
  return { name: `${sizes[name]} sessions`, role, installation, server, tokens }
}

const job = { method: 'POST' }

const headersOf = ({ installation }: Size) => ({ ...form, authorization: installation.basic })

const describe = (name: string, title: string, limit = '10,000 sessions') => ({
  ...{ name, title, limit, goal: '≥ 90 %' },
  close: async () => {},
})

const refreshWork = (setup: Setup, all: readonly Size[]) => ({
  ...describe('refresh_large', 'refresh, 2,000,000 sessions'),
  contestants: all.map((size) => {
    const chain = { name: size.name, tokens: size.tokens, before }
    return contestant(setup, size, { ...job, connections: 64, chain })
  }),
})

function passwordWork(setup: Setup, all: readonly Size[]) {
  const bodies = Array.from({ length: 2000 }, (_, n) =>
    new URLSearchParams({
      ...{ grant_type: 'password', username: `bench-${1 + n * 50}`, password: person.password },
      scope: 'read offline_access',
    }).toString(),
  )
  return {
    ...describe('password_large', 'sign-in, 2,000,000 sessions'),
    contestants: all.map((size) => contestant(setup, size, { ...job, connections: 8, bodies })),
  }
}

function contestant(setup: Setup, size: Size, work: Readonly<Record<string, unknown>>): Contestant {
  const url = `${size.server.url}/oauth/token`
  const processes = processesOf(setup, size.server.child)
  return asked(size, setup.generator, { ...work, url, headers: headersOf(size) }, processes)
}
