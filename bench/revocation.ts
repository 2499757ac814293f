import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { decodeJwt } from 'jose'
import { createVerifier, type Verifier } from '../src/verifier/verifier.ts'
import { cpuTimeOf } from './cpu-time.ts'
import { audience, type Installation, install, issuer, type Server, serve } from './signet.ts'
import { openStage } from './stage.ts'

/**
 * How long a service that asks nobody accepts a token after its revocation was answered, and what its
 * verifier costs the server. Two instances, five verifiers at each; every revocation is decided by one
 * instance, so that the other one's readers show the way through the database.
 */
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '100' },
    verifiers: { type: 'string', default: '10' },
  },
})
const rounds = Number(options.rounds)
const count = Number(options.verifiers)

/** Told when the verifier has applied a list. */
interface Reader {
  readonly server: Server
  readonly verifier: Verifier
  onList: () => void
}

const say = (line: string) => console.error(`• ${line}`)
const stage = await openStage(say)
try {
  say(
    `${rounds} revocations, ${count} verifiers at two instances: about ${Math.ceil(rounds / 2)} s`,
  )
  const installation = await install(stage, { name: 'revocation', people: 0 })
  const servers = [await serve(stage, installation), await serve(stage, installation)]
  const readers = await Promise.all(
    Array.from({ length: count }, (_, n) => openReader(servers[n % 2] as Server)),
  )
  const [deciding] = servers as [Server]
  const same: number[] = []
  const other: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    // At any moment of the half second in which an instance reads the log.
    await sleep(Math.random() * 500)
    for (const { seconds, server } of await revokeOnce(deciding, installation, readers)) {
      ;(server === deciding ? same : other).push(seconds)
    }
    if (round % 20 === 19) say(`${round + 1} of ${rounds}`)
  }
  const [, following] = servers as [Server, Server]
  const cost = await costOf(following)
  for (const { verifier } of readers) await verifier.close()
  report(same, other, cost)
} finally {
  await stage.close()
}

async function openReader(server: Server): Promise<Reader> {
  const throughServer: typeof fetch = (input, init) =>
    fetch(String(input).replace(issuer, server.url), init)
  const reader: Reader = {
    server,
    onList: () => undefined,
    verifier: createVerifier({
      ...{ issuer, audience },
      fetch: throughServer,
      onEvent: ({ type }) => type === 'list' && reader.onList(),
    }),
  }
  await reader.verifier.ready()
  return reader
}

function post(server: Server, { basic }: Installation, path: string, body: string) {
  const headers = { authorization: basic, 'content-type': 'application/x-www-form-urlencoded' }
  return fetch(`${server.url}${path}`, { method: 'POST', headers, body })
}

/** Seconds from the answer of the server until each verifier refused the token. */
async function revokeOnce(server: Server, installation: Installation, readers: readonly Reader[]) {
  const answer = await post(server, installation, '/oauth/token', 'grant_type=client_credentials')
  const { access_token: token } = (await answer.json()) as { access_token: string }
  for (const { verifier } of readers) await verifier.verify(token)
  let answeredAt = Number.POSITIVE_INFINITY
  const refusals = readers.map(
    (reader) =>
      new Promise<{ seconds: number; server: Server }>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error('it is still accepted after 30 s')), 30_000)
        const look = () =>
          reader.verifier.verify(token).then(
            () => undefined,
            () => {
              clearTimeout(late)
              const seconds = Math.max(0, performance.now() - answeredAt) / 1000
              resolve({ seconds, server: reader.server })
            },
          )
        reader.onList = look
      }),
  )
  await post(server, installation, '/oauth/revoke', `token=${token}`)
  answeredAt = performance.now()
  return Promise.all(refusals)
}

interface Cost {
  readonly microseconds: number
  readonly bytes: number
}

/** One answer of a long poll, the signature shared by all who are told at the same time. */
async function costOf(server: Server): Promise<Cost | undefined> {
  const url = `${server.url}/.well-known/revocations`
  const list = await fetch(url).then((said) => said.text())
  const { seq } = decodeJwt(list) as { seq: string }
  const ask = async () => {
    const response = await fetch(`${url}?since=${seq}`)
    return (await response.text()).length
  }
  await Promise.all(Array.from({ length: 200 }, ask))
  const before = cpuTimeOf(server.child.pid)
  let bytes = 0
  const asked = 4000
  for (let n = 0; n < asked; n += 20) {
    const lengths = await Promise.all(Array.from({ length: 20 }, ask))
    bytes = Math.max(bytes, ...lengths)
  }
  const after = cpuTimeOf(server.child.pid)
  if (before === undefined || after === undefined) return undefined
  return { microseconds: (after - before) / asked, bytes }
}

function report(same: readonly number[], other: readonly number[], cost: Cost | undefined): void {
  const all = [...same, ...other]
  const lines = { 'the instance that decided': same, 'the other instance': other, all }
  const distributions = Object.entries(lines).map(([readersOf, seconds]) => ({
    readersOf,
    count: seconds.length,
    ...distribution(seconds),
  }))
  const perHour = 3600 / 25
  if (options.json) {
    console.log(JSON.stringify({ verifiers: count, rounds, distributions, cost, perHour }))
    return
  }
  console.log('\nFrom the answer of /oauth/revoke to the refusal by a verifier, milliseconds\n')
  console.log('| verifiers at | count | p50 | p90 | p99 | longest |')
  console.log('|---|---|---|---|---|---|')
  for (const { readersOf, count: n, p50, p90, p99, longest } of distributions) {
    console.log(`| ${[readersOf, n, p50, p90, p99, longest].join(' | ')} |`)
  }
  if (!cost) return
  const { microseconds, bytes } = cost
  console.log(
    `\nA verifier asks ${perHour} times an hour and once more for each revocation. An answer costs the server ` +
      `${microseconds.toFixed(0)} µs of a core and has ${bytes} bytes: ` +
      `${((perHour * microseconds) / 1000).toFixed(1)} ms and ${((perHour * bytes) / 1000).toFixed(0)} kB an hour ` +
      'for a verifier of a server where nothing is revoked.',
  )
}

function distribution(seconds: readonly number[]) {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 1000)
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), longest: at(1) }
}
