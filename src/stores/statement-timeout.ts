import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Members of pg's client and connection that its types omit. */
interface Wire extends pg.Connection {
  readonly stream: Socket
  connect(port: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
}

interface Client extends pg.PoolClient {
  readonly connection: Wire
  readonly sslNegotiation: string
  readonly processID: number | null
  readonly secretKey: number
  end(): Promise<void>
  unref(): void
}

type Release = (error?: Error | boolean) => void

/**
 * Time limit for a cancel request. Longer than the 10 s of PgBouncer: its release 1.18 exits when a client closes
 * the connection of a request that it has not yet forwarded.
 */
const cancelMilliseconds = 15_000
/** Time limit for a clean disconnect. */
const disconnectMilliseconds = 2000
/** Without an answer this long after a cancel request was accepted, the connection counts as lost. */
const silenceMilliseconds = 2000
/** The longest wait for a statement that cannot be cancelled. */
const longestMilliseconds = 60_000

/**
 * Cancels a statement that timed out, and counts its connection as used until the server has ended it.
 * Closing only the socket would leave the backend running, and a pool that replaces such connections would
 * take all connections of a slow PostgreSQL. The caller does not wait for any of this.
 */
export function cancelOnTimeout(pool: pg.Pool, mostAbandoned: number): void {
  let abandoned = 0
  // Backends of lost connections may still run, so at most a pool's worth is abandoned per minute.
  const mayAbandon = () => {
    if (abandoned >= mostAbandoned) return false
    abandoned += 1
    setTimeout(() => {
      abandoned -= 1
    }, longestMilliseconds).unref()
    return true
  }
  pool.on('connect', (client) => watch(client as Client, mayAbandon))
}

/** Watches the statements of one connection. */
function watch(client: Client, mayAbandon: () => boolean): void {
  let closed: Promise<void> | undefined
  const onError = (error: unknown) => {
    if (closed || !(error instanceof Error) || error.message !== 'Query read timeout') return
    closed = close(client, mayAbandon)
    // Keeps knex from reusing it.
    Object.assign(client, { __knex__disposed: error })
  }
  const query = client.query.bind(client) as (...args: unknown[]) => unknown
  const bounded = (...args: unknown[]) => {
    const done = args.at(-1)
    if (closed) return refuse(done)
    if (typeof done === 'function') {
      args[args.length - 1] = (error: unknown, result: unknown) => {
        onError(error)
        done(error, result)
      }
      return query(...args)
    }
    const result = query(...args)
    if (result instanceof Promise) result.catch(onError)
    return result
  }
  let releaseClient: Release = () => undefined
  Object.assign(client, { query: bounded })
  // The pool sets it each time that it lends the connection.
  Object.defineProperty(client, 'release', {
    set(release: Release) {
      releaseClient = release
    },
    get(): Release {
      const release = releaseClient
      return (error) => (closed ? void closed.then(() => release(true)) : release(error))
    },
  })
}

function refuse(done: unknown): Promise<never> | undefined {
  const error = new Error('Connection terminated: its last statement took too long')
  if (typeof done !== 'function') return Promise.reject(error)
  process.nextTick(done as (error: Error) => void, error)
  return undefined
}

/** Ends a connection whose statement timed out. Resolves when its backend has ended or is given up. */
async function close(client: Client, mayAbandon: () => boolean): Promise<void> {
  const { connection } = client
  client.unref()
  let isSettled = false
  const settled = new Promise<void>((resolve) => {
    for (const event of ['readyForQuery', 'end']) connection.once(event, resolve)
  }).then(() => {
    isSettled = true
  })
  const deadline = performance.now() + longestMilliseconds
  const isOver = quiet(longestMilliseconds)
  let acceptedAt = Number.POSITIVE_INFINITY
  const isLost = () =>
    performance.now() > deadline ||
    (performance.now() - acceptedAt > silenceMilliseconds && mayAbandon())
  while (!isSettled && !isLost()) {
    // Repeatedly: a pooler drops the request while the statement still waits for a connection.
    const cancelled = cancel(client).then((isAccepted) => {
      if (isAccepted) acceptedAt = Math.min(acceptedAt, performance.now())
    })
    await Promise.race([settled, cancelled, isOver])
    await Promise.race([settled, quiet(1000)])
  }
  const ended = new Promise((resolve) => connection.once('end', resolve))
  // Disconnects cleanly, or closes the socket while a statement runs.
  await Promise.race([client.end(), ended, quiet(disconnectMilliseconds)])
  connection.stream.destroy()
}

/** @returns whether the server accepted the request, which says nothing about its effect */
function cancel(client: Client): Promise<boolean> {
  const { host, port, ssl, sslNegotiation, processID, secretKey } = client
  // Some poolers do not report a backend.
  if (processID === null) return Promise.resolve(false)
  const wire = new pg.Connection({ ssl, sslNegotiation } as pg.ConnectionConfig) as Wire
  let isAccepted = false
  const send = () => {
    wire.cancel(processID, secretKey)
    isAccepted = true
  }
  const late = setTimeout(() => {
    isAccepted = false
    wire.stream.destroy()
  }, cancelMilliseconds).unref()
  wire.on('connect', () => {
    if (!ssl) send()
    else if (sslNegotiation !== 'direct') wire.requestSsl()
  })
  wire.on('sslconnect', send)
  wire.on('error', () => undefined)
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`)
  else wire.connect(port, host)
  // Nothing waits for it at the end of the process.
  wire.stream.unref()
  return new Promise((resolve) => {
    wire.on('end', () => {
      clearTimeout(late)
      resolve(isAccepted)
    })
  })
}

const quiet = (milliseconds: number): Promise<void> =>
  sleep(milliseconds, undefined, { ref: false })
