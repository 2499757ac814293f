import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { globalAgent } from 'node:http'
import { connect } from 'node:net'
import { createVerifier } from '../../src/verifier/verifier.ts'
import { frameworks, type Service } from './middleware-frameworks.ts'

/**
 * A service in a separate process, which forgets to close its verifiers. It reads a job as JSON
 * from its arguments, answers with what it saw as one line of JSON, and has nothing more to do then.
 */
export interface HostJob {
  readonly framework: string
  readonly audience: string
  /** A verifier and a service for each of them. */
  readonly issuers: Readonly<Record<string, { readonly issuer: string; readonly token: string }>>
  /** Asked of the service by the global `fetch`, after the first token. */
  readonly paths: readonly string[]
  /** Sent to the service on a socket. */
  readonly targets: readonly string[]
  readonly replaceFetch: boolean
  /** Opened, used and closed beside it. */
  readonly closed: number
  readonly timeoutSeconds: number
  /** Asks once more after a line on stdin. */
  readonly again: boolean
}

export interface HostReport {
  readonly statuses: Readonly<Record<string, number>>
  readonly odd: readonly string[]
  readonly again: Readonly<Record<string, number>>
  readonly globalFetches: number
  readonly listenersBefore: Readonly<Record<string, number>>
  readonly listeners: Readonly<Record<string, number>>
  readonly subscribed: boolean
  /** Kinds of what an event loop waits for that closed verifiers left. */
  readonly left: readonly string[]
}

const job = JSON.parse(process.argv[2] ?? '') as HostJob
const theirFetch = globalThis.fetch
let globalFetches = 0
const sent = ['undici:client:sendHeaders', 'undici:request:create', 'http.client.request.start']

const listeners = () => {
  const counts: Record<string, number> = {}
  for (const name of process.eventNames()) counts[String(name)] = process.listenerCount(name)
  for (const name of globalAgent.eventNames()) {
    counts[`agent ${String(name)}`] = globalAgent.listenerCount(name)
  }
  return counts
}

const ask = async ({ url }: Service, token: string) => {
  const headers = { authorization: `Bearer ${token}`, connection: 'close' }
  return (await theirFetch(`${url}/user`, { headers })).status
}

async function send({ url }: Service, target: string): Promise<string> {
  const { port, host } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  const [line] = await once(socket, 'data')
  socket.destroy()
  return String(line).slice(0, 12)
}

async function openAndClose(): Promise<string[]> {
  const { issuer = '', token = '' } = Object.values(job.issuers)[0] ?? {}
  const before = process.getActiveResourcesInfo()
  const verifiers = Array.from({ length: job.closed }, () =>
    createVerifier({ issuer, audience: job.audience, timeoutSeconds: 60 }),
  )
  await Promise.all(verifiers.map((verifier) => verifier.verify(token)))
  await Promise.all(verifiers.map((verifier) => verifier.close()))
  // Sockets that were destroyed are closed with the next turn.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  const left = process.getActiveResourcesInfo()
  return left.filter(
    (kind, at) => left.indexOf(kind) === at && count(left, kind) > count(before, kind),
  )
}

const count = (kinds: readonly string[], kind: string) => kinds.filter((one) => one === kind).length

const services = new Map<string, Service>()
if (job.replaceFetch) {
  globalThis.fetch = () => {
    globalFetches++
    throw new Error('the service has replaced it')
  }
}
await theirFetch('data:,').then((response) => response.text())
const listenersBefore = listeners()
const left = job.closed > 0 ? await openAndClose() : []
const statuses: Record<string, number> = {}
const started = Object.entries(job.issuers).map(async ([name, { issuer, token }]) => {
  const { audience, timeoutSeconds } = job
  const verifier = createVerifier({ issuer, audience, timeoutSeconds })
  const service = await frameworks[job.framework]?.(verifier)
  if (!service) throw new Error('no such framework')
  services.set(name, service)
  statuses[name] = await ask(service, token)
})
await Promise.all(started)
const [first] = services.values()
const odd: string[] = []
for (const path of first ? job.paths : []) {
  odd.push(await theirFetch(first?.url + path).then(({ status }) => `HTTP/1.1 ${status}`))
}
for (const target of job.targets) if (first) odd.push(await send(first, target))
const again: Record<string, number> = {}
if (job.again) {
  console.log('asks again after a line')
  await once(process.stdin, 'data')
  process.stdin.destroy()
  for (const [name, service] of services) {
    again[name] = await ask(service, job.issuers[name]?.token ?? '')
  }
}
const subscribed = sent.some((name) => channel(name).hasSubscribers)
const report: HostReport = {
  ...{ statuses, odd, again, globalFetches, listenersBefore, listeners: listeners() },
  ...{ subscribed, left },
}
await Promise.all([...services.values()].map((service) => service.close()))
console.log(JSON.stringify(report))
