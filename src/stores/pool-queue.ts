import type { Pool, PoolClient } from 'pg'

type Done = (error: Error | undefined, client?: PoolClient, release?: () => void) => void
type Connect = (done?: Done) => Promise<PoolClient> | undefined

/**
 * The pool bounds how long a statement waits for a connection, not how many wait. Behind a PostgreSQL that
 * hangs thousands would, each with its request in memory, and all of them would be told so at one moment.
 * Beyond the bound they are told at once: the words are those of the pool, which mean 503.
 */
export function boundQueue(pool: Pool, mostWaiting: number): void {
  const connect = pool.connect.bind(pool) as Connect
  const bounded: Connect = (done) => {
    if (pool.waitingCount < mostWaiting) return connect(done)
    const error = new Error('timeout exceeded when trying to connect: too many wait already')
    if (!done) return Promise.reject(error)
    process.nextTick(done, error)
    return undefined
  }
  Object.assign(pool, { connect: bounded })
}
