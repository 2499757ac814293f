import cluster from 'node:cluster'
import type { Command } from 'commander'
import { misspelledVariables } from '../config/config.ts'
import { OperatorError } from '../errors.ts'
import { firstRun, firstRunLines } from '../server/first-run.ts'
import { urlOf } from '../server/http-server.ts'
import { loadConfig, openRuntime } from '../server/open-runtime.ts'
import { openTheme } from '../server/open-theme.ts'
import {
  acquireServeLock,
  announceReady,
  type Closers,
  logBugs,
  narrate,
  openApp,
  openMetrics,
  openServer,
  type Start,
  untilStopped,
} from '../server/startup.ts'
import { stopSignals } from '../server/stop-signals.ts'
import { serveAsWorker } from '../server/workers/worker.ts'
import { openWorkers, type WorkersOptions } from '../server/workers/workers.ts'
import { openLog } from '../telemetry/log.ts'
import { workerCount } from './arguments.ts'
import { weaknesses } from './doctor/check-configuration.ts'
import { example, runs } from './output.ts'

export function serveCommand(program: Command): void {
  const command = program
    .command('serve')
    .description(
      'run the server until SIGTERM or Ctrl-C; outside production, create what is missing first',
    )
    .option(
      '--workers <count>',
      'number of processes that share the port, or auto for one per core',
      workerCount,
      1,
    )
  example(
    command,
    'signet serve',
    'signet serve --workers auto',
    'PORT=8080 LOG_FORMAT=json signet serve',
  )
  runs(command, () => (cluster.isWorker ? serveAsWorker() : serve(command.opts())))
}

/** Runs the command in the first process until a signal stops it. */
export async function serve(options: WorkersOptions): Promise<void> {
  const start = await begin()
  for (const line of misspelledVariables(process.env)) start.notify(line)
  for (const { message, advice } of weaknesses(start.config)) start.log.warn({ advice }, message)
  await untilStopped(start, (closers) =>
    options.workers > 1 ? openWorkers(start, closers, options) : openAlone(start, closers),
  )
}

async function begin(): Promise<Start> {
  const stop = stopSignals()
  const config = loadConfig()
  if (config.PORT === 0 && config.issuer.endsWith(':0')) {
    throw new OperatorError(
      'PORT=0 uses any free port, so ISSUER must name the URL at which clients reach this server.',
    )
  }
  const isTraced = config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined
  const log = openLog({ level: config.LOG_LEVEL, format: config.logFormat, isTraced })
  logBugs(log)
  // Progress goes to the terminal when the log is for people, and into the log when it is JSON.
  const notify = config.logFormat === 'json' ? (line: string) => log.info(line) : narrate
  const { theme } = await openTheme(config, log)
  return { config, log, notify, stop, ...(theme && { theme }) }
}

/** Opens everything in this process, up to answering requests. A signal may stop it between two steps. */
async function openAlone(start: Start, closers: Closers): Promise<void> {
  const { config, log, notify, stop } = start
  const runtime = await openRuntime({ config, log, notify, signal: stop.requested })
  closers.push(runtime.close)
  await acquireServeLock(runtime)
  stop.requested.throwIfAborted()
  const app = await openApp(runtime, start, closers)
  const metricsUrl = await openMetrics(app.services.metrics.registry, start, closers)
  const created = config.production ? {} : await firstRun(app.services, config.issuer)
  // Printed before the server is ready, so that scripts that wait for it find them. Never logged: logs are
  // collected, and these are secrets.
  const show = (url: string) => firstRunLines(created, url).forEach(narrate)
  if (config.PORT !== 0) show(urlOf(config.host, config.PORT))
  const url = await openServer(app, start, closers)
  if (config.PORT === 0) show(url)
  announceReady(start, { url, metricsUrl })
}
