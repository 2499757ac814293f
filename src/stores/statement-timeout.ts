import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Parts of pg's client and connection that its types leave out. */
interface Wire extends pg.Connection {
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

/** How long a cancel request may take, and a goodbye. */
const requestMilliseconds = 2000
/** So long after the server took a cancel request its answer comes no more: the way back is lost. */
const silenceMilliseconds = 2000
/** So long a connection is waited for that nobody can cancel. */
const longestMilliseconds = 60_000

/**
 * Cancels a statement that timed out, and counts its connection as used until the server has ended it.
 * Closing the socket alone would leave the backend at work, and a pool that replaces it would take all
 * connections of a PostgreSQL that is slow. The caller does not wait for any of this.
 */
export function cancelOnTimeout(pool: pg.Pool, mostAbandoned: number): void {
  let abandoned = 0
  // Without an answer a backend may go on, so only as many as the pool has are left behind in a minute.
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

/** Follows the statements of one connection. */
function watch(client: Client, mayAbandon: () => boolean): void {
  let closed: Promise<void> | undefined
  const onError = (error: unknown) => {
    if (closed || !(error instanceof Error) || error.message !== 'Query read timeout') return
    closed = close(client, mayAbandon)
    // knex must not give it to the next.
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
  let giveBack: Release = () => undefined
  Object.assign(client, { query: bounded })
  // The pool sets it each time that it hands the connection out.
  Object.defineProperty(client, 'release', {
    set(release: Release) {
      giveBack = release
    },
    get(): Release {
      const release = giveBack
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

/** Ends a connection whose statement timed out. @returns when its backend is known to be gone, or given up */
async function close(client: Client, mayAbandon: () => boolean): Promise<void> {
  const { connection } = client
  client.unref()
  let isSettled = false
  const settled = new Promise<void>((resolve) => {
    for (const event of ['readyForQuery', 'end']) connection.once(event, resolve)
  }).then(() => {
    isSettled = true
  })
  const startedAt = performance.now()
  let takenAt = Number.POSITIVE_INFINITY
  const isLost = () =>
    performance.now() - startedAt > longestMilliseconds ||
    (performance.now() - takenAt > silenceMilliseconds && mayAbandon())
  while (!isSettled && !isLost()) {
    // Again and again: a pooler forgets the request while the statement still waits for a connection.
    if (await cancel(client)) takenAt = Math.min(takenAt, performance.now())
    await Promise.race([settled, quiet(1000)])
  }
  const ended = new Promise((resolve) => connection.once('end', resolve))
  // Says goodbye; with a statement under way it closes the socket.
  await Promise.race([client.end(), ended, quiet(requestMilliseconds)])
  connection.stream.destroy()
}

/** @returns whether the server took the request, which says nothing about what came of it */
function cancel(client: Client): Promise<boolean> {
  const { host, port, ssl, sslNegotiation, processID, secretKey } = client
  // Some poolers name no backend.
  if (processID === null) return Promise.resolve(false)
  const wire = new pg.Connection({ ssl, sslNegotiation } as pg.ConnectionConfig) as Wire
  let isTaken = false
  const send = () => {
    wire.cancel(processID, secretKey)
    isTaken = true
  }
  const late = setTimeout(() => {
    isTaken = false
    wire.stream.destroy()
  }, requestMilliseconds).unref()
  wire.on('connect', () => {
    if (!ssl) send()
    else if (sslNegotiation !== 'direct') wire.requestSsl()
  })
  wire.on('sslconnect', send)
  wire.on('error', () => undefined)
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`)
  else wire.connect(port, host)
  return new Promise((resolve) => {
    wire.on('end', () => {
      clearTimeout(late)
      resolve(isTaken)
    })
  })
}

const quiet = (milliseconds: number): Promise<void> =>
  sleep(milliseconds, undefined, { ref: false })
