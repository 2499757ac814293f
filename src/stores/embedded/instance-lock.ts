import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { OperatorError } from '../../errors.ts'
import {
  freePort,
  isPassing,
  type LaunchedPostmaster,
  launchPostmaster,
  type PostmasterOptions,
  startFailure,
} from './postmaster.ts'
import { findPostmaster } from './postmaster-file.ts'

/** Advisory locks of the two-number kind, which migrations and others do not use. */
const instanceLock = [7_468_385, 1]
const serveLock = [7_468_385, 2]

export interface AttachOptions extends PostmasterOptions {
  readonly password: string
  readonly passwordFile: string
  readonly notify: (line: string) => void
}

/** A connection that counts this process as a user of the database. */
export interface Attached {
  readonly client: pg.Client
  readonly url: string
  readonly pid: number
  readonly port: number
  /** Releases every lock. @returns true when no other process is left; it then keeps new ones out */
  leave(): Promise<boolean>
}

const patienceMilliseconds = 300_000

/**
 * Connects to the PostgreSQL of the cluster, and starts it if it does not run. Rivals, crashes and shutdowns
 * may leave it in any state, so this checks again until it answers.
 */
export async function attach(
  options: AttachOptions,
  signal: AbortSignal,
  port?: number,
): Promise<Attached> {
  const report = occasionally(options.notify)
  let launched: LaunchedPostmaster | undefined
  for (const end = Date.now() + patienceMilliseconds; Date.now() < end; await sleep(30)) {
    if (signal.aborted) launched?.stop()
    signal.throwIfAborted()
    const running = await findPostmaster(options.cluster)
    if (running) {
      const url = `postgres://signet:${options.password}@127.0.0.1:${running.port}/signet`
      const answer = await tryConnect(url, options)
      if (typeof answer !== 'string') return { ...running, url, ...answer }
      report(answer)
      continue
    }
    if (launched?.exited()) {
      const log = await launched.log()
      if (!isPassing(log)) throw startFailure(options.logFile, log)
      report('waiting for an earlier PostgreSQL to end')
      launched = undefined
      await sleep(70)
    }
    launched ??= await launchPostmaster(options, port ?? (await freePort()))
  }
  throw new OperatorError(`PostgreSQL does not answer, see ${options.logFile}`)
}

/** @returns the connection with the lock, or why there is none yet */
async function tryConnect(
  url: string,
  options: AttachOptions,
): Promise<Pick<Attached, 'client' | 'leave'> | string> {
  const client = await connect(url).catch((error: pg.DatabaseError) => error)
  if (client instanceof pg.Client) {
    try {
      await client.query('SELECT pg_advisory_lock_shared($1, $2)', instanceLock)
      return { client, leave: () => leave(client) }
    } catch (error) {
      // The last user is stopping it.
      await client.end().catch(() => undefined)
      return (error as Error).message
    }
  }
  if (client.code === '3D000') return createDatabase(url)
  if (client.code?.startsWith('28')) {
    throw new OperatorError(`PostgreSQL refuses the password in ${options.passwordFile}`, {
      cause: client,
    })
  }
  return client.message
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    ssl: false,
    connectionTimeoutMillis: 5_000,
    application_name: `signet, process ${process.pid}`,
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Called in the loop instead of once after initdb, so that a kill -9 in between does no harm. */
async function createDatabase(url: string): Promise<string> {
  try {
    const client = await connect(url.replace(/signet$/, 'postgres'))
    await client.query('CREATE DATABASE signet').finally(() => client.end())
    return 'the database has been created'
  } catch (error) {
    return (error as Error).message
  }
}

async function leave(client: pg.Client): Promise<boolean> {
  try {
    await client.query('SELECT pg_advisory_unlock_all()')
    const query = 'SELECT pg_try_advisory_lock($1, $2) AS alone'
    const { rows } = await client.query<{ alone: boolean }>(query, instanceLock)
    return rows[0]?.alone === true
  } catch {
    return false
  }
}

const holder = `
  SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Takes the lock of the serving process. @returns undefined, or the description of its holder */
export async function tryServingLock(
  client: pg.Client,
  describeSelf: string,
): Promise<string | undefined> {
  const take = `SELECT set_config('application_name', $3, false), pg_try_advisory_lock($1, $2) AS taken`
  let name: string | undefined
  // A holder that was just killed keeps the lock for some milliseconds.
  for (let round = 0; round < 10; round += 1) {
    if (round > 0) await sleep(50)
    const { rows } = await client.query<{ taken: boolean }>(take, [...serveLock, describeSelf])
    if (rows[0]?.taken) return undefined
    const found = await client.query<{ name: string }>(holder, serveLock)
    name = found.rows[0]?.name ?? name
  }
  return name ?? 'another process'
}

/** Reports only waits that are long enough for a person to notice. */
function occasionally(notify: (line: string) => void): (state: string) => void {
  let next = Date.now() + 1_500
  return (state) => {
    if (Date.now() < next) return
    next = Date.now() + 5_000
    notify(`Waiting for PostgreSQL (after a crash it first recovers): ${state}`)
  }
}
