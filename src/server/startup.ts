import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import { OperatorError } from '../errors.ts'
import { HashingProcess } from '../passwords/hashing-process.ts'
import { boundQueue } from '../stores/pool-queue.ts'
import type { Log } from '../telemetry/log.ts'
import type { Readable } from '../telemetry/scrape.ts'
import { scrape } from '../telemetry/scrape.ts'
import { HttpServer, urlOf } from './http-server.ts'
import type { Notify } from './open-database.ts'
import type { OpenedRuntime } from './open-runtime.ts'
import { aborted, type StoppedError, type StopSignals } from './stop-signals.ts'

/** What a server that starts has at hand before anything is open. */
export interface Start {
  readonly config: Config
  readonly log: Log
  readonly notify: Notify
  readonly stop: StopSignals
}

/** Statements that may wait for each connection: a PostgreSQL that is well does them in less than a second. */
const waitingForEach = 200

/** What to undo at the end, the newest first. */
export type Closers = (() => Promise<unknown>)[]

/** Opens, waits until somebody asks to stop, and closes what was opened by then, however far it came. */
export async function untilStopped(
  { log, notify, stop }: Start,
  open: (closers: Closers) => Promise<void>,
): Promise<void> {
  const closers: Closers = []
  try {
    await open(closers)
    await aborted(stop.requested)
  } catch (error) {
    // Half a start that was told to stop may fail in any way: Ctrl-C reaches initdb too.
    if (!stop.requested.aborted) throw error
  } finally {
    if (stop.requested.aborted)
      notify(`stopping: ${(stop.requested.reason as StoppedError).message}`)
    const failed = (error: unknown) => log.error({ err: error }, 'closing failed')
    for (const close of closers.reverse()) await close().catch(failed)
  }
  notify('stopped')
}

/** The rooms and what they do in the background. Between any two steps it may be asked to stop. */
export async function openApp(
  runtime: OpenedRuntime,
  { config, log, stop }: Start,
  closers: Closers,
): Promise<App> {
  boundQueue(runtime.pool, waitingForEach * config.DATABASE_POOL_SIZE)
  const hashing = new HashingProcess({ concurrency: config.PASSWORD_CONCURRENCY, log })
  closers.push(() => hashing.close())
  const { createApp } = await import('../app/app.ts')
  const app = await createApp({ ...runtime, hashing })
  closers.push(app.stop)
  await app.start()
  stop.requested.throwIfAborted()
  app.services.metrics.collectProcess()
  return app
}

const limitsOf = (config: Config) => ({
  requestSeconds: config.REQUEST_TIMEOUT_SECONDS,
  answerSeconds: config.ANSWER_TIMEOUT_SECONDS,
})

/** Connections of the metrics port at once. */
const mostScrapers = 100

/** @returns where it answers */
export async function openServer(
  app: App,
  { config, stop }: Start,
  closers: Closers,
): Promise<string> {
  const server = await HttpServer.open({
    ...{ handler: app.handler, host: config.host },
    ...{ ports: [config.PORT], variable: 'PORT', ...limitsOf(config) },
  })
  closers.push(async () => {
    app.drain()
    server.answerForTheLastTime()
    const signal = stop.insisted
    await sleep(config.SHUTDOWN_DELAY_SECONDS * 1000, undefined, { signal }).catch(() => undefined)
    await server.close(config.SHUTDOWN_SECONDS, signal)
  })
  return urlOf(config.host, server.port)
}

/** @returns where Prometheus may ask */
export async function openMetrics(
  metrics: Readable,
  { config, log, notify }: Start,
  closers: Closers,
): Promise<string> {
  const metricsServer = await HttpServer.open({
    ...{ handler: scrape(metrics, log), host: config.METRICS_HOST },
    ...{ ports: config.metricsPorts, variable: 'METRICS_PORT' },
    ...{ ...limitsOf(config), mostConnections: mostScrapers },
  })
  closers.push(() => metricsServer.close(0))
  const [wanted] = config.metricsPorts
  if (wanted !== 0 && wanted !== metricsServer.port) {
    notify(
      `Port ${wanted} is in use, so the metrics are on port ${metricsServer.port} (METRICS_PORT)`,
    )
  }
  return `${urlOf(config.METRICS_HOST, metricsServer.port)}/metrics`
}

/** One server in one folder: a second one would answer on the same data under another name. */
export async function claim({ embedded, config }: OpenedRuntime): Promise<void> {
  const self = `signet serve, process ${process.pid}, port ${config.PORT}`
  const other = await embedded?.acquireServeLock(self)
  if (other === undefined) return
  throw new OperatorError(
    `Another Signet is running on ${config.DATA_DIR} already (${other}). Stop it, or give this one its ` +
      'own DATA_DIR and PORT; for several instances on one database set DATABASE_URL.',
  )
}

export function narrate(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** For whoever waits for it, in the words of the log or of people. */
export function announceReady(
  { config, log, notify }: Start,
  { url, metricsUrl, workers }: { url: string; metricsUrl: string; workers?: number },
): void {
  const { issuer, logFormat } = config
  const many = workers === undefined ? {} : { workers }
  const seconds = process.uptime().toFixed(1)
  if (logFormat === 'json') log.info({ issuer, url, metricsUrl, ...many }, 'ready')
  else notify(`Signet serves ${issuer} on ${url} (ready in ${seconds} s), metrics: ${metricsUrl}`)
}

/** What nobody has caught is in the log before the process ends; the one after it starts clean. */
export function logBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a mistake of this server that nothing caught: the process ends')
    process.exit(1)
  })
}
