import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { hash } from 'argon2'
import Table from 'cli-table3'
import { app } from '../tools/fixtures.ts'
import { basic } from '../tools/http-client.ts'
import { redisProgram, startRedisServer } from '../tools/redis-server.ts'
import type { Plan, Work } from './flood-load.ts'
import { distribution, load } from './flood-run.ts'
import { type FloodServer, startFloodServer } from './flood-server.ts'

/**
 * `npx tsx bench/flood.ts [--json] [--seconds 15] [--workers 2] [--without-redis] [--page]`: refreshes and
 * client credentials while it is quiet, and again while logins arrive at five times what the machine can check,
 * at the token endpoint or, with `--page`, on the sign-in page.
 */
const asJson = process.argv.includes('--json')
const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const seconds = option('seconds', 15)
const workers = option('workers', 1)
const probesPerSecond = option('probes', 25)
const deadlineSeconds = 2
const door = process.argv.includes('--page') ? 'page' : 'password'
const say = (line: string) => process.stderr.write(`• ${line}\n`)

const probes: Work[] = [
  { name: 'refresh_token', perSecond: probesPerSecond, grant: 'refresh_token' },
  { name: 'client_credentials', perSecond: probesPerSecond, grant: 'client_credentials' },
]

/** Resident memory of the server and its children, in MiB. */
function residentMib(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
  return children.filter(Boolean).reduce((sum, child) => sum + residentMib(Number(child)), own)
}

function watchMemory(pid: number): () => number[] {
  const seen: number[] = []
  const timer = setInterval(() => seen.push(Math.round(residentMib(pid))), 500)
  return () => {
    clearInterval(timer)
    return seen
  }
}

async function measure(server: FloodServer) {
  const passwordHash = await hash('a password of the flood', {
    ...{ memoryCost: 19_456, timeCost: 2, parallelism: 1 },
  })
  const usernames = await server.addPeople(4_000, passwordHash)
  const plan: Plan = {
    ...{ base: server.url, origin: server.origin, authorization: basic(app) },
    ...{
      seconds,
      usernames,
      refreshTokens: [],
      password: 'a password of the flood',
      sources: 64,
      works: [],
    },
  }
  const logins = (perSecond: number, grant: Work['grant'] = door): Work[] => [
    { name: door, perSecond, grant },
  ]

  say('begins sessions, and finds out how many logins a second are too many (12 s)')
  const { refreshTokens } = await load({ ...plan, seconds: 6, works: logins(25, 'password') })
  // Three times what one core can check: whatever comes back as 200 is the capacity.
  const wild = { ...plan, seconds: 6, works: logins(availableParallelism() * 120) }
  const saturated = await load(wild)
  const capacity = saturated.samples.filter(({ status }) => status === 200).length / 6
  await new Promise((resolve) => setTimeout(resolve, 3_000))

  say(
    `quiet: ${probesPerSecond} refreshes and ${probesPerSecond} client credentials a second (${seconds} s)`,
  )
  const quiet = await load({ ...plan, works: probes, refreshTokens })
  const perSecond = Math.round(5 * capacity)
  say(`flooded: and ${perSecond} logins a second, five times ${capacity.toFixed(0)} (${seconds} s)`)
  const memory = watchMemory(server.pid)
  const before = Math.round(residentMib(server.pid))
  const [flooded, flood] = await Promise.all([
    load({ ...plan, works: probes, refreshTokens: quiet.refreshTokens }),
    load({ ...plan, works: logins(perSecond), usernames: [...usernames].reverse() }),
  ])
  const resident = memory()
  return { capacity, perSecond, quiet, flooded, flood, resident: [before, ...resident] }
}

const redis = process.argv.includes('--without-redis')
  ? undefined
  : await startRedisServer({ program: redisProgram(say) })
const server = await startFloodServer(workers, say, (env) => ({
  ...env,
  REDIS_URL: redis?.url ?? 'none',
}))
try {
  const found = await measure(server)
  const { quiet, flooded, flood, resident } = found
  const count = (status: number) => flood.samples.filter((one) => one.status === status).length
  const told = flood.samples.filter(({ status, retryAfter }) => status >= 429 && retryAfter > 0)
  const refused = flood.samples.filter(({ status }) => status >= 429).length
  const works = probes.map(({ name }) => {
    const [calm, wild] = [distribution(quiet.samples, name), distribution(flooded.samples, name)]
    const lost = flooded.samples.filter((one) => one.name === name && one.status !== 200).length
    return { name, quiet: calm, flooded: wild, ratio: wild.p99 / calm.p99, notAnswered: lost }
  })
  const login = distribution(flood.samples, door)
  const shares = {
    arrived: flood.samples.length + flood.unsent,
    ...{ accepted: count(200), throttled: count(429), busy: count(503), broken: count(0) },
    ...{ unsent: flood.unsent, other: flood.samples.length - count(200) - count(0) - refused },
    toldWhen: refused === 0 ? 1 : told.length / refused,
  }
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model}, Node ${process.version}, ${redis ? 'Redis' : 'no Redis'}`
  const result = { machine, workers, capacity: found.capacity, works, login, shares, resident }
  process.stdout.write(asJson ? `${JSON.stringify(result, null, 2)}\n` : report(result))
} finally {
  await server.close()
  await redis?.close()
}

interface Result {
  readonly machine: string
  readonly workers: number
  readonly capacity: number
  readonly works: readonly {
    name: string
    quiet: ReturnType<typeof distribution>
    flooded: ReturnType<typeof distribution>
    ratio: number
    notAnswered: number
  }[]
  readonly login: ReturnType<typeof distribution>
  readonly shares: Readonly<Record<string, number>>
  readonly resident: readonly number[]
}

function report({ machine, workers, capacity, works, login, shares, resident }: Result): string {
  const table = new Table({
    style: { head: [], border: [] },
    head: ['work', '', 'count', 'p50', 'p90', 'p99', 'max', 'p99 ratio'],
  })
  const figures = (one: ReturnType<typeof distribution>) => [
    ...[one.count, ...[one.p50, one.p90, one.p99, one.max].map((ms) => `${ms.toFixed(1)} ms`)],
  ]
  for (const { name, quiet, flooded, ratio } of works) {
    table.push([name, 'quiet', ...figures(quiet), ''])
    table.push([name, 'flooded', ...figures(flooded), `${ratio.toFixed(1)} (goal 3)`])
  }
  table.push([door, 'accepted', ...figures(login), `deadline ${deadlineSeconds} s`])
  const { arrived = 0, accepted = 0, throttled = 0, busy = 0 } = shares
  const share = (part: number) => `${((100 * part) / arrived).toFixed(1)} %`
  const lost = works.reduce((sum, { notAnswered }) => sum + notAnswered, 0)
  const [first, ...during] = resident
  return [
    `${machine}; ${workers} worker(s), generator included`,
    table.toString(),
    `logins: capacity ${capacity.toFixed(0)}/s; ${arrived} arrived: 200 ${share(accepted)}, 429 ${share(throttled)}, 503 ${share(busy)}, broken ${shares.broken}, unsent ${shares.unsent}, other ${shares.other}`,
    `of the refused ${((shares.toldWhen ?? 0) * 100).toFixed(1)} % were told when to come back; ${lost} refreshes or client credentials failed`,
    `memory (MiB): ${first} before; every 2.5 s: ${during.filter((_, index) => index % 5 === 0).join(' ')}; highest ${Math.max(...during)}`,
    '',
  ].join('\n')
}
