import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import { OperatorError } from '../errors.ts'
import type { Theme } from '../pages/theme/theme.ts'
import { HashingProcess } from '../passwords/hashing-process.ts'
import type { Log } from '../telemetry/log.ts'
import { type MetricsSource, scrape } from '../telemetry/scrape.ts'
import { HttpServer, urlOf } from './http-server.ts'
import type { Notify } from './open-database.ts'
import type { OpenedRuntime } from './open-runtime.ts'
import { closingSecondsOf, openTracer } from './open-tracer.ts'
import { aborted, type StoppedError, type StopSignals } from './stop-signals.ts'

/** Everything that a start has before it opens anything. */
export interface Start {
  readonly config: Config
  readonly log: Log
  readonly notify: Notify
  readonly stop: StopSignals
  /** Absent: the pages look as they are built in. */
  readonly theme?: Theme
  /** The number of this worker process. */
  readonly worker?: number
}

/** Functions that close what was opened, called newest first. */
export type Closers = (() => Promise<unknown>)[]

/** Opens the server, waits for the request to stop, and closes everything that was opened. */
export async function untilStopped(
  { log, notify, stop }: Start,
  open: (closers: Closers) => Promise<void>,
): Promise<void> {
  const closers: Closers = []
  try {
    await open(closers)
    await aborted(stop.requested)
  } catch (error) {
    // An interrupted start may fail in any way: Ctrl-C reaches initdb too.
    if (!stop.requested.aborted) throw error
  } finally {
    if (stop.requested.aborted)
      notify(`stopping: ${(stop.requested.reason as StoppedError).message}`)
    const failed = (error: unknown) => log.error({ err: error }, 'closing failed')
    for (const close of closers.reverse()) await close().catch(failed)
  }
  notify('stopped')
}

/** Opens the application and starts its background jobs. A signal may stop it between two steps. */
export async function openApp(
  runtime: OpenedRuntime,
  { config, log, stop, theme, worker }: Start,
  closers: Closers,
): Promise<App> {
  const tracer = await openTracer(config, log, worker)
  if (tracer) closers.push(() => tracer.close(closingSecondsOf(config)))
  const hashing = new HashingProcess({ concurrency: config.PASSWORD_CONCURRENCY, log })
  closers.push(() => hashing.close())
  const { createApp } = await import('../app/app.ts')
  const app = await createApp({
    ...runtime,
    hashing,
    ...(theme && { theme }),
    ...(tracer && { tracer }),
  })
  closers.push(app.stop)
  await app.start()
  stop.requested.throwIfAborted()
  app.services.metrics.collectProcess()
  return app
}

const limitsOf = (config: Config) => ({
  requestSeconds: config.REQUEST_TIMEOUT_SECONDS,
  answerSeconds: config.ANSWER_TIMEOUT_SECONDS,
  idleSeconds: config.IDLE_TIMEOUT_SECONDS,
})

/** Concurrent connections of the metrics port. */
const mostScrapers = 100

/** @returns its URL */
export async function openServer(
  app: App,
  { config, stop }: Start,
  closers: Closers,
): Promise<string> {
  const server = await HttpServer.open({
    handler: app.handler,
    host: config.host,
    ports: [config.PORT],
    variable: 'PORT',
    ...limitsOf(config),
  })
  closers.push(async () => {
    app.drain()
    server.closeAfterNextAnswers()
    const signal = stop.insisted
    await sleep(config.SHUTDOWN_DELAY_SECONDS * 1000, undefined, { signal }).catch(() => undefined)
    await server.close(config.SHUTDOWN_SECONDS, signal)
  })
  return urlOf(config.host, server.port)
}

/** @returns the URL for Prometheus */
export async function openMetrics(
  metrics: MetricsSource,
  { config, log, notify }: Start,
  closers: Closers,
): Promise<string> {
  const metricsServer = await HttpServer.open({
    handler: scrape(metrics, log),
    host: config.METRICS_HOST,
    ports: config.metricsPorts,
    variable: 'METRICS_PORT',
    ...limitsOf(config),
    mostConnections: mostScrapers,
  })
  closers.push(() => metricsServer.close(0))
  const [preferred] = config.metricsPorts
  if (preferred !== 0 && preferred !== metricsServer.port) {
    notify(
      `Port ${preferred} is in use, so the metrics are on port ${metricsServer.port} (METRICS_PORT)`,
    )
  }
  return `${urlOf(config.METRICS_HOST, metricsServer.port)}/metrics`
}

/**
 * Takes the lock of the serving process of an embedded database, so that one folder has one server.
 * @throws OperatorError when another process has it
 */
export async function acquireServeLock({ embedded, config }: OpenedRuntime): Promise<void> {
  const self = `signet serve, process ${process.pid}, port ${config.PORT}`
  const other = await embedded?.acquireServeLock(self)
  if (other === undefined) return
  throw new OperatorError(
    `Another Signet already runs on ${config.DATA_DIR} (${other}). Stop it, or give this one its own ` +
      'DATA_DIR and PORT. For several instances on one database, set DATABASE_URL.',
  )
}

export function narrate(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Announces that the server is ready: in the log when it is JSON, otherwise on the terminal. */
export function announceReady(
  { config, log, notify }: Start,
  { url, metricsUrl, workers }: { url: string; metricsUrl: string; workers?: number },
): void {
  const { issuer, logFormat } = config
  const pool = workers === undefined ? {} : { workers }
  const seconds = process.uptime().toFixed(1)
  if (logFormat === 'json') log.info({ issuer, url, metricsUrl, ...pool }, 'ready')
  else notify(`Signet serves ${issuer} on ${url} (ready in ${seconds} s), metrics: ${metricsUrl}`)
}

/** Logs uncaught errors and ends the process, because its state is unknown. */
export function logBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an uncaught error, a bug of this server: the process ends')
    process.exit(1)
  })
}
