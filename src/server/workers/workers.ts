import { firstRun, firstRunLines } from '../first-run.ts'
import { urlOf } from '../http-server.ts'
import { openWorld } from '../open-runtime.ts'
import { type Closers, claim, narrate, openMetrics, type Start, sayReady } from '../startup.ts'
import { AllMetrics } from './pool-metrics.ts'
import { Flock } from './worker-pool.ts'

export interface WorkersOptions {
  readonly workers: number
  /** A worker that says nothing for so long is ended and replaced. */
  readonly silentSeconds?: number
}

/**
 * The primary process: makes once what a server makes at its start, then keeps so many workers running
 * that share its port. It answers no request itself but those for metrics.
 */
export async function openWorkers(
  start: Start,
  closers: Closers,
  { workers: count, silentSeconds }: WorkersOptions,
): Promise<void> {
  const { config, log, say, stop } = start
  const world = await openWorld({
    config: { ...config, DATABASE_POOL_SIZE: 2 },
    ...{ log, say, signal: stop.asked },
  })
  closers.push(world.close)
  await claim(world)
  stop.asked.throwIfAborted()
  const { createRooms } = await import('../../app/services.ts')
  const rooms = await createRooms(world)
  await rooms.revocations.mark()
  await rooms.rotation.ensure()
  await rooms.apiClients.ensureOwn()
  const made = config.production ? {} : await firstRun(rooms, config.issuer)
  stop.asked.throwIfAborted()

  const databaseUrl = config.DATABASE_URL ?? world.embedded?.url ?? ''
  const flock = new Flock({ count, config, databaseUrl, log, stop, silentSeconds })
  const metricsUrl = await openMetrics(new AllMetrics(flock), start, closers)
  closers.push(() => flock.stop())
  const show = (url: string) => firstRunLines(made, url).forEach(narrate)
  if (config.PORT !== 0) show(urlOf(config.host, config.PORT))
  const url = await flock.start()
  if (config.PORT === 0) show(url)
  const connections = count * config.DATABASE_POOL_SIZE
  say(
    `${count} workers, each with up to ${config.DATABASE_POOL_SIZE} connections to PostgreSQL: ` +
      `${connections} in all (DATABASE_POOL_SIZE), and ${flock.checks} password checks at once`,
  )
  sayReady(start, { url, metricsUrl, workers: count })
}
