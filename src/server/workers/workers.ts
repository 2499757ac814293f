import { firstRun, firstRunLines } from '../first-run.ts'
import { urlOf } from '../http-server.ts'
import { openRuntime } from '../open-runtime.ts'
import {
  acquireServeLock,
  announceReady,
  type Closers,
  narrate,
  openMetrics,
  type Start,
} from '../startup.ts'
import { PoolMetrics } from './pool-metrics.ts'
import { WorkerPool } from './worker-pool.ts'

export interface WorkersOptions {
  readonly workers: number
  /** A worker that is silent for this long is killed and replaced. */
  readonly silentSeconds?: number
}

/**
 * Runs the primary process: prepares everything that a server prepares once, then keeps `count` workers
 * running on its port. It answers only the metrics port itself.
 */
export async function openWorkers(
  start: Start,
  closers: Closers,
  { workers: count, silentSeconds }: WorkersOptions,
): Promise<void> {
  const { config, log, notify, stop } = start
  const runtime = await openRuntime({
    config: { ...config, DATABASE_POOL_SIZE: 2 },
    log,
    notify,
    signal: stop.requested,
  })
  closers.push(runtime.close)
  await acquireServeLock(runtime)
  stop.requested.throwIfAborted()
  const { createServices } = await import('../../app/services.ts')
  const services = await createServices(runtime)
  await services.revocations.mark()
  await services.rotation.ensure()
  await services.apiClients.ensureOwn()
  const created = config.production ? {} : await firstRun(services, config.issuer)
  stop.requested.throwIfAborted()

  const embeddedUrl = runtime.embedded?.url
  const workerPool = new WorkerPool({ count, config, embeddedUrl, log, stop, silentSeconds })
  const metricsUrl = await openMetrics(new PoolMetrics(workerPool), start, closers)
  closers.push(() => workerPool.stop())
  const show = (url: string) => firstRunLines(created, url).forEach(narrate)
  if (config.PORT !== 0) show(urlOf(config.host, config.PORT))
  const url = await workerPool.start()
  if (config.PORT === 0) show(url)
  const connections = count * config.DATABASE_POOL_SIZE
  notify(
    `${count} workers, each with up to ${config.DATABASE_POOL_SIZE} connections to PostgreSQL: ` +
      `${connections} in total (DATABASE_POOL_SIZE), and ${workerPool.checks} concurrent password checks`,
  )
  announceReady(start, { url, metricsUrl, workers: count })
}
