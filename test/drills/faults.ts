import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { eventually } from '../../tools/eventually.ts'
import { masterKeyText } from '../../tools/fixtures.ts'
import type { Deployment } from './deployment.ts'
import type { Families } from './families.ts'
import { pgBouncerCommand } from './switchover.ts'

type Bring = (deployment: Deployment, families: Families) => Promise<void>

/** The faults of the table in docs/operations.md, in its order. The last one ends the primary for good. */
export const faults: Readonly<Record<string, Bring>> = {
  'an instance is stopped and started': async ({ instances: [one] }) => {
    await one?.end('SIGTERM')
    await one?.start()
  },
  'all instances are restarted, one after the other': async ({ instances }) => {
    for (const one of instances) {
      await one.end('SIGTERM')
      await one.start()
    }
  },
  'an instance is killed, six times': async ({ instances }) => {
    for (const one of [...instances, ...instances]) {
      await one.end('SIGKILL')
      await one.start()
    }
  },
  'an instance stands still for 20 s': async ({ instances: [one] }) => {
    one?.signal('SIGSTOP')
    await sleep(20_000)
    one?.signal('SIGCONT')
  },
  'an instance starts while the name of PostgreSQL is unknown, then that of Redis': async ({
    instances: [one],
  }) => {
    await one?.end('SIGTERM')
    const unknown = { DATABASE_URL: `postgres://signet@${unknownHost}/signet` }
    const refusal = await one?.start(unknown).then(
      () => 'it started',
      (error: Error) => error.message,
    )
    if (!refusal?.includes(unknownHost)) throw new Error(`no host in its refusal: ${refusal}`)
    await one?.start({ REDIS_URL: `redis://${unknownHost}` })
    await sleep(5000)
    await one?.end('SIGTERM')
    await one?.start()
  },
  'nginx reads its configuration again': async ({ nginx }) => {
    nginx.reload()
  },
  'nginx is stopped and is back after 3 s': async ({ nginx }) => {
    await nginx.stop()
    await sleep(3000)
    await nginx.start()
  },
  'HAProxy takes the place of nginx, and an instance behind it is killed': async (
    { nginx, startHaproxy, instances: [one] },
    families,
  ) => {
    families.useOnly([await startHaproxy()])
    await families.refreshed(2)
    await one?.end('SIGKILL')
    await one?.start()
    await families.refreshed(2)
    families.useOnly([nginx])
  },
  'PgBouncer is killed and is back after 5 s': async ({ bouncer }) => {
    await bouncer.kill()
    await sleep(5000)
    bouncer.start()
  },
  'PgBouncer is killed and started at once': async ({ bouncer }) => {
    await bouncer.kill()
    bouncer.start()
  },
  'PostgreSQL is restarted': async ({ postgres: { primary } }) => {
    await primary.stop()
    await primary.start()
  },
  'PostgreSQL is restarted between `PAUSE` and `RESUME`': async ({ postgres, bouncer }) => {
    await pgBouncerCommand(bouncer.url, 'PAUSE')
    await postgres.primary.stop()
    await postgres.primary.start()
    await eventually(async () => isFollowed(postgres), 'the standby follows', 60)
    await pgBouncerCommand(bouncer.url, 'RESUME')
  },
  'PostgreSQL crashes and is back after 3 s': async ({ postgres: { primary } }) => {
    await primary.crash()
    await sleep(3000)
    await primary.start()
  },
  'the only synchronous standby hangs for 45 s': async ({ postgres: { replication } }) => {
    replication.weather = 'hang'
    await sleep(45_000)
    replication.weather = 'fine'
    replication.cut()
  },
  'another transaction locks `users` for 10 s': ({ postgres }) =>
    holding(postgres.url, 'LOCK TABLE users IN ACCESS EXCLUSIVE MODE'),
  'another transaction locks every session for 10 s': ({ postgres }) =>
    holding(postgres.url, 'SELECT 1 FROM refresh_families FOR UPDATE'),
  'others take every free connection of PostgreSQL for 5 s': async ({ postgres }) => {
    const taken = await takeConnections(postgres.primary.url)
    await sleep(5000)
    await Promise.all(taken.map((one) => one.end()))
  },
  'every node of the Redis Cluster is emptied': async ({ redis }) => {
    for (const node of await redis.masters()) await node.flush()
  },
  'a node of the Redis Cluster is killed, fails over and is back': async ({ redis }) => {
    const [master] = await redis.masters()
    await master?.kill()
    const isReplaced = async () => (await redis.masters()).length === 3
    await eventually(isReplaced, 'a replica takes its place', 60)
    await master?.start()
    await redis.well()
  },
  'the Redis Cluster stands still for 20 s': async ({ redis }) => {
    for (const node of redis.nodes) node.pause()
    await sleep(20_000)
    for (const node of redis.nodes) node.resume()
    await redis.well()
  },
  'the Redis Cluster is killed and is back, empty, after 10 s': async ({ redis }) => {
    await Promise.all(redis.nodes.map((node) => node.kill()))
    await sleep(10_000)
    await Promise.all(redis.nodes.map((node) => node.start()))
    await redis.well()
  },
  'the master key is replaced, and one instance lacks the new one': async ({ instances, run }) => {
    const added = (await run(['keys', 'new-master', '--print'])).trim()
    const both = { MASTER_KEYS: `${added},${masterKeyText}` }
    const [lacking, ...others] = instances
    for (const one of others) {
      await one.end('SIGTERM')
      await one.start(both)
    }
    await run(['keys', 'rewrap'], both)
    await run(['keys', 'rotate'], both)
    await sleep(20_000)
    await lacking?.end('SIGTERM')
    await lacking?.start(both)
  },
  'the primary dies, and the synchronous standby is promoted': async ({ postgres }) => {
    const { primary, standby, entrance } = postgres
    entrance.weather = 'refuse'
    await primary.crash()
    entrance.cut()
    await standby.query('SELECT pg_promote()')
    await standby.query(`ALTER SYSTEM SET synchronous_standby_names = ''`)
    await standby.query('SELECT pg_reload_conf()')
    entrance.leadTo(standby.port)
    entrance.weather = 'fine'
  },
}

const isFollowed = async ({ primary }: Deployment['postgres']): Promise<boolean> => {
  const sql = `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'`
  return (await primary.query(sql)).length > 0
}

/** RFC 6761 section 6.4: no name server knows it. */
const unknownHost = 'nowhere.invalid'

const holdSeconds = 10

/** Runs a statement in a transaction that stays open. */
async function holding(url: string, sql: string): Promise<void> {
  const client = await connected(url)
  await client.query(`BEGIN; ${sql}`)
  await sleep(holdSeconds * 1000)
  await client.query('COMMIT')
  await client.end()
}

async function connected(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** More than max_connections allows. */
const mostConnections = 200

/** Opens connections until PostgreSQL refuses. */
async function takeConnections(url: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = []
  while (taken.length < mostConnections) {
    const one = await connected(url).catch(() => undefined)
    if (!one) return taken
    taken.push(one)
  }
  throw new Error('PostgreSQL refuses no connection')
}
