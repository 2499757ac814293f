import { join } from 'node:path'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { createAuthority } from '../../tools/certificates.ts'
import { findProgram } from '../../tools/debian-program.ts'
import { log } from '../support/runner/checks.ts'
import {
  type Nginx,
  openFolder,
  startHaproxy,
  startNginx,
} from '../support/server/proxy-programs.ts'
import { type Serving, serve, signet } from '../support/server/signet.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'
import { type RedisCluster, startRedisCluster } from '../support/stores/redis-cluster.ts'
import type { Entrance } from './families.ts'
import { environmentOf, type Place } from './instances.ts'
import { type ReplicatedPostgres, startReplicatedPostgres } from './replicated-postgres.ts'

const instanceCount = 3

/** An instance that is stopped and started again on the same port. */
export interface Instance {
  readonly url: string
  /** @param changed variables that differ from those of the deployment */
  start(changed?: Readonly<Record<string, string>>): Promise<void>
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>
  /** SIGSTOP and SIGCONT: as a virtual machine that is paused. */
  signal(signal: NodeJS.Signals): void
}

/**
 * A production as docs/deployment.md and docs/failover.md describe it: three instances behind nginx with TLS,
 * PgBouncer in front of a primary with a synchronous standby, and a Redis Cluster.
 */
export interface Deployment {
  readonly postgres: ReplicatedPostgres
  readonly bouncer: Awaited<ReturnType<typeof startPgBouncer>>
  readonly redis: RedisCluster
  readonly instances: readonly Instance[]
  /** Runs a command beside the instances. @throws Error when it fails */
  run(args: readonly string[], changed?: Readonly<Record<string, string>>): Promise<string>
  readonly nginx: Nginx & Required<Entrance>
  /** Starts HAProxy in front of the first two instances, beside nginx. */
  startHaproxy(): Promise<Entrance>
}

export async function openDeployment({ folder: parent, closing }: Place): Promise<Deployment> {
  for (const [name, debianPackage] of Object.entries({
    nginx: 'nginx-light',
    haproxy: 'haproxy',
  })) {
    if (findProgram([name], debianPackage, log)) continue
    throw new Error(`This drill needs ${name}: install it (apt-get install ${debianPackage})`)
  }
  const folder = await openFolder(join(parent, 'deployment'))
  const postgres = await startReplicatedPostgres(join(folder, 'postgres'), closing)
  await makeSynchronous(postgres)
  const bouncer = await startPgBouncer(closing.test, postgres.url)
  const redis = await startRedisCluster(closing)
  const port = await freePort()
  const environment = {
    ...environmentOf(bouncer.url),
    ISSUER: `https://localhost:${port}`,
    REDIS_URL: redis.urls,
    TRUSTED_PROXIES: '127.0.0.1',
    SHUTDOWN_DELAY_SECONDS: '3',
    DATABASE_PREPARED_STATEMENTS: String(bouncer.isPreparing),
  }
  const ports: number[] = []
  for (let at = 0; at < instanceCount; at += 1) ports.push(await freePort())
  const instances = ports.map((own) => {
    const env = { ...environment, PORT: String(own) }
    return instanceOf(own, (changed) =>
      serve(closing.test, { cwd: folder, env: { ...env, ...changed } }),
    )
  })
  await Promise.all(instances.map((instance) => instance.start()))
  const authority = createAuthority(join(folder, 'certificates'))
  const nginxFolder = await openFolder(join(folder, 'nginx'))
  const scene = { folder: nginxFolder, authority, instances: ports, port, closing }
  const nginx = Object.assign(await startNginx(scene), { authority: authority.certificate })
  const haproxy = async () => {
    const own = { folder: await openFolder(join(folder, 'haproxy')), port: await freePort() }
    const { url } = await startHaproxy({ ...scene, ...own })
    return { url, authority: authority.certificate }
  }
  const run: Deployment['run'] = async (args, changed = {}) => {
    const env = { ...environment, DATABASE_URL: postgres.url, ...changed }
    const { code, stdout, stderr } = await signet(args, { cwd: folder, env })
    if (code !== 0) throw new Error(`signet ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  return { postgres, bouncer, redis, instances, run, nginx, startHaproxy: haproxy }
}

/** As in docs/failover.md, with one standby instead of two. */
async function makeSynchronous({ primary }: ReplicatedPostgres): Promise<void> {
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
  await primary.query('SELECT pg_reload_conf()')
}

function instanceOf(
  port: number,
  launch: (changed: Readonly<Record<string, string>>) => Promise<Serving>,
): Instance {
  let running: Serving | undefined
  return {
    url: `http://127.0.0.1:${port}`,
    async start(changed = {}) {
      running = await launch(changed)
    },
    async end(signal) {
      running?.signal(signal)
      await running?.exited
      running = undefined
    },
    signal: (name) => running?.signal(name),
  }
}
