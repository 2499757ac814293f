import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { asked, contest } from './contest.ts'
import { chooseGenerator, howToGetWrk } from './load-generator.ts'
import { plantSessions, refreshTokens } from './sessions.ts'
import { form, startBench } from './setup.ts'
import { install, serve, thisBuild } from './signet.ts'
import { openStage, type Stage } from './stage.ts'
import { ratioOf, spreadOf } from './statistics.ts'
import { number, table } from './table.ts'

/**
 * The cost of traces in refreshes: off, a share of them, and all; `--against <main.cjs>` adds a build of
 * before. A collector beside the server takes them. The ratios are of the server's CPU time for a request.
 */
const { values: options } = parseArgs({
  options: {
    against: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const connections = 32

interface Opening {
  readonly name: string
  readonly database: string
  readonly program?: string
  readonly env: Readonly<Record<string, string>>
}

/** Only reports show these. */
const untitled = { title: '', limit: '', goal: '', close: async () => undefined }

const say = (line: string) => console.error(`• ${line}`)
const chosen = chooseGenerator(undefined)
if (!chosen) throw new Error(howToGetWrk)
const stage = await openStage(say)
try {
  const generator = startBench(`generator-${chosen.name}.mjs`)
  stage.onClose(generator.close)
  const collector = startBench('limits/collector.mjs')
  stage.onClose(collector.close)
  const { port } = await collector.ask<{ port: number }>({})
  const traced = (ratio: string) => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: ratio,
  })
  const builds: Opening[] = [
    ...(options.against
      ? [{ name: 'before', program: resolve(options.against), database: 'before', env: {} }]
      : []),
    { name: 'off', database: 'off', env: {} },
    { name: '1 %', database: 'some', env: traced('0.01') },
    { name: 'all', database: 'all', env: traced('1') },
  ]
  const contestants = []
  for (const build of builds) contestants.push(await open(stage, build))
  const pace = { rounds, seconds, warmUpSeconds: 2 }
  const samples = await contest({ name: 'refresh', contestants, ...untitled }, pace, say)
  const costs = [...samples.values()].map((list) => list.map(({ cost }) => cost?.server ?? 0))
  const [first = []] = costs
  const rows = builds.map(({ name }, at) => {
    const own = costs[at] ?? []
    return [name, number(spreadOf(own).median), ratioOf(first, own).median.toFixed(3)]
  })
  process.stdout.write(`${table(['traces', 'µs of the server', 'ratio'], rows)}\n`)

  async function open(on: Stage, { name, database, program, env }: Opening) {
    const installation = await install(on, {
      name: database,
      people: 1000,
      program: program ?? thisBuild,
    })
    const server = await serve(on, installation, { env })
    await plantSessions(installation, 5000)
    const tokens = await refreshTokens(installation, 1024 + connections * (rounds + 1))
    const job = {
      method: 'POST',
      connections,
      url: `${server.url}/oauth/token`,
      chain: { name: database, tokens, before: 'grant_type=refresh_token&refresh_token=' },
      headers: { ...form, authorization: installation.basic },
    }
    return asked({ name, role: 'signet' }, generator, job, { server: server.child.pid })
  }
} finally {
  await stage.close()
}
process.exit()
