import { fork } from 'node:child_process'
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { createVerifier as createFastVerifier } from 'fast-jwt'
import { createLocalJWKSet, importJWK, jwtVerify } from 'jose'
import { createVerifier, type Verifier } from '../src/verifier/verifier.ts'
import { ratioOf, type Spread, spreadOf } from './statistics.ts'

/**
 * `npx tsx bench/verify.ts [--json]`: how many tokens a service verifies in a second, beside bare jose
 * and fast-jwt in the same run, and what 100,000 revocations weigh in its memory. About 30 s.
 */
const issuer = 'https://id.example'
const audience = 'https://orders.example'
const rounds = 5
const roundMilliseconds = 300
const distinctTokens = 2000
const atOnce = 64
const revocations = 100_000
const kid = 'k'.repeat(43)
const requiredClaims = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id']

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }

function jws(typ: string, claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const input = `${encode({ alg: 'RS256', typ, kid })}.${encode({ iss: issuer, ...claims })}`
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}

/** As the server writes it for a person: about 900 characters. */
function token(): string {
  const iat = Math.floor(Date.now() / 1000)
  return jws('at+jwt', {
    ...{ sub: randomUUID(), aud: audience, exp: iat + 900, iat, jti: randomUUID() },
    ...{ client_id: 'app', scope: 'read write offline_access', sid: randomUUID(), auth_time: iat },
    ...{ amr: ['pwd'], roles: ['admin'] },
  })
}

function list(entries: number): string {
  const iat = Math.floor(Date.now() / 1000)
  const groups: Record<string, Buffer[]> = {}
  for (let n = 0; n < entries; n++) {
    const expiresAt = (Math.ceil(iat / 60) + 2 + (n % 60)) * 60
    groups[expiresAt] ??= []
    groups[expiresAt].push(createHash('sha256').update(`jti:${n}`).digest().subarray(0, 16))
  }
  const revoked = Object.entries(groups).map(([at, digests]) => [
    at,
    Buffer.concat(digests).toString('base64url'),
  ])
  return jws('revocations+jwt', { iat, seq: '1', revoked: Object.fromEntries(revoked) })
}

/** An issuer without a network; its polls hang until they are ended. */
function fetchFrom(entries: number): typeof fetch {
  const metadata = { issuer, jwks_uri: `${issuer}/jwks`, revocations_uri: `${issuer}/revocations` }
  return async (url, options) => {
    const { pathname, searchParams } = new URL(String(url))
    if (pathname.startsWith('/.well-known')) return Response.json(metadata)
    if (pathname === '/jwks') return Response.json({ keys: [jwk] })
    if (!searchParams.has('since')) return new Response(list(entries))
    return new Promise((_, reject) => {
      options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
    })
  }
}

const ourVerifier = (rememberTokens: number, entries = 1000): Verifier =>
  createVerifier({ issuer, audience, rememberTokens, fetch: fetchFrom(entries) })

type Verify = (token: string) => unknown

interface Contest {
  readonly work: string
  readonly concurrency: number
  readonly tokens: readonly string[]
  readonly contestants: Readonly<Record<string, Verify>>
}

const signet = 'signet/verifier'
const jose = 'jose, key imported once'

async function contests(): Promise<Contest[]> {
  const cold = ourVerifier(0)
  const remembering = ourVerifier(1000)
  const key = await importJWK(jwk, 'RS256')
  const local = createLocalJWKSet({ keys: [jwk as never] })
  const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims }
  const fastRules = {
    key: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    ...{ allowedIss: issuer, allowedAud: audience, checkTyp: 'at+jwt', requiredClaims },
  }
  const fast = createFastVerifier({ ...fastRules, algorithms: ['RS256'] })
  const fastCached = createFastVerifier({ ...fastRules, algorithms: ['RS256'], cache: 1000 })
  const contestants: Record<string, Verify> = {
    [signet]: (text) => cold.verify(text),
    [jose]: (text) => jwtVerify(text, key, rules),
    'jose, createLocalJWKSet': (text) => jwtVerify(text, local, rules),
    'fast-jwt': (text) => fast(text),
  }
  const repeated: Record<string, Verify> = {
    [signet]: (text) => remembering.verify(text),
    [jose]: (text) => jwtVerify(text, key, rules),
    'fast-jwt, cache': (text) => fastCached(text),
  }
  await Promise.all([cold.ready(), remembering.ready()])
  const tokens = Array.from({ length: distinctTokens }, token)
  const one = tokens.slice(0, 1)
  return [
    { work: 'first time, one after another', concurrency: 1, tokens, contestants },
    { work: `first time, ${atOnce} at once`, concurrency: atOnce, tokens, contestants },
    { work: 'again, one after another', concurrency: 1, tokens: one, contestants: repeated },
  ]
}

interface Round {
  readonly perSecond: number
  readonly cpuMicroseconds: number
}

async function play(verify: Verify, { tokens, concurrency }: Contest): Promise<Round> {
  const cpuBefore = process.cpuUsage()
  const started = performance.now()
  let done = 0
  let elapsed = 0
  const worker = async () => {
    while (elapsed < roundMilliseconds) {
      await verify(tokens[done % tokens.length] as string)
      done += 1
      elapsed = performance.now() - started
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const { user, system } = process.cpuUsage(cpuBefore)
  return { perSecond: (done / elapsed) * 1000, cpuMicroseconds: (user + system) / done }
}

interface Result {
  readonly work: string
  readonly contestant: string
  readonly perSecond: Spread
  /** Of all threads together, for one token. */
  readonly cpuMicroseconds: Spread
  /** How many times as many the verifier does. */
  readonly ratio: Spread
}

/** Everybody takes a turn in each round, so that what slows the machine down slows down all. */
async function run(contest: Contest): Promise<Result[]> {
  const names = Object.keys(contest.contestants)
  const figures = new Map<string, Round[]>(names.map((name) => [name, []]))
  // The first turn is for the compiler.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, verify] of Object.entries(contest.contestants)) {
      const figure = await play(verify, contest)
      if (round > 0) figures.get(name)?.push(figure)
    }
  }
  const speeds = (name: string) => (figures.get(name) ?? []).map(({ perSecond }) => perSecond)
  return [...figures].map(([contestant, theirs]) => ({
    ...{ work: contest.work, contestant, perSecond: spreadOf(speeds(contestant)) },
    cpuMicroseconds: spreadOf(theirs.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    ratio: ratioOf(speeds(signet), speeds(contestant)),
  }))
}

interface Memory {
  readonly entries: number
  readonly bytes: number
  readonly bytesPerEntry: number
}

/** In a process of its own, so that nothing else is weighed. */
async function weigh(): Promise<Memory> {
  const execArgv = [...process.execArgv, '--expose-gc']
  const child = fork(fileURLToPath(import.meta.url), ['--weigh'], { execArgv })
  const [bytes] = (await once(child, 'message')) as [number]
  await once(child, 'exit')
  return { entries: revocations, bytes, bytesPerEntry: bytes / revocations }
}

async function weighHere(): Promise<void> {
  const held = async (entries: number) => {
    const verifier = ourVerifier(0, entries)
    await verifier.ready()
    if (verifier.status.entries !== entries) throw new Error('entries are missing')
    // What the answers left behind goes with the next turns of the event loop.
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      globalThis.gc?.()
    }
    const { heapUsed, arrayBuffers, external } = process.memoryUsage()
    return { verifier, bytes: heapUsed + Math.max(arrayBuffers, external) }
  }
  const before = await held(0)
  const after = await held(revocations)
  process.send?.(after.bytes - before.bytes)
  await Promise.all([before.verifier.close(), after.verifier.close()])
  process.disconnect()
}

const goals = [
  { work: 'first time, one after another', contestant: jose, atLeast: 0.95 },
  { work: `first time, ${atOnce} at once`, contestant: jose, atLeast: 0.95 },
  { work: 'again, one after another', contestant: jose, atLeast: 10 },
]

function print(results: readonly Result[], memory: Memory): void {
  const count = (value: number) => Math.round(value).toLocaleString('en')
  const head = ['tokens', 'by', 'per second', 'range', 'CPU µs', 'signet/verifier is', 'goal']
  const spelled = ({ median, lowest, highest }: Spread) =>
    `${median.toFixed(2)} × (${lowest.toFixed(2)}–${highest.toFixed(2)})`
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { work, contestant, perSecond, cpuMicroseconds, ratio } of results) {
    const goal = goals.find((one) => one.work === work && one.contestant === contestant)
    const verdict = goal && (ratio.median >= goal.atLeast ? 'holds' : 'MISSED')
    table.push([
      ...[work, contestant, count(perSecond.median)],
      `${count(perSecond.lowest)}–${count(perSecond.highest)}`,
      cpuMicroseconds.median.toFixed(1),
      contestant === signet ? '' : spelled(ratio),
      goal ? `≥ ${goal.atLeast} ×: ${verdict}` : '',
    ])
  }
  console.log(table.toString())
  const megabytes = (memory.bytes / 1e6).toFixed(1)
  console.log(
    `${count(memory.entries)} revocations: ${megabytes} MB, ${memory.bytesPerEntry.toFixed(0)} bytes each`,
  )
}

async function main(): Promise<void> {
  const memory = await weigh()
  const results: Result[] = []
  for (const contest of await contests()) results.push(...(await run(contest)))
  const [cpu] = cpus()
  const machine = { cpu: cpu?.model, cores: cpus().length, node: process.version }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ machine, rounds, roundMilliseconds, results, memory }, null, 2))
    return
  }
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${rounds} rounds, RSA-2048`)
  print(results, memory)
}

await (process.argv.includes('--weigh') ? weighHere() : main())
