import cluster from 'node:cluster'
import type { Command } from 'commander'
import { misspelt } from '../config/typos.ts'
import { OperatorError } from '../errors.ts'
import { firstRun, firstRunLines } from '../server/first-run.ts'
import { urlOf } from '../server/http-server.ts'
import { loadConfig, openRuntime } from '../server/open-runtime.ts'
import {
  announceReady,
  type Closers,
  claim,
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
    .description('run the server until SIGTERM or Ctrl-C; what it needs and lacks is made first')
    .option(
      '--workers <count>',
      'processes that share the port: a number, or auto for one on each core',
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

/** The command in the first process, until it is told to stop. */
export async function serve(options: WorkersOptions): Promise<void> {
  const start = begin()
  for (const line of misspelt(process.env)) start.notify(line)
  for (const { message, advice } of weaknesses(start.config)) start.log.warn({ advice }, message)
  await untilStopped(start, (closers) =>
    options.workers > 1 ? openWorkers(start, closers, options) : openAlone(start, closers),
  )
}

function begin(): Start {
  const stop = stopSignals()
  const config = loadConfig()
  if (config.PORT === 0 && config.issuer.endsWith(':0')) {
    throw new OperatorError('PORT=0 takes any free port: ISSUER must say where clients reach it.')
  }
  const log = openLog({ level: config.LOG_LEVEL, format: config.logFormat })
  logBugs(log)
  // Where the log is for people, these lines are for them too; else each is a line of the log.
  const notify = config.logFormat === 'json' ? (line: string) => log.info(line) : narrate
  return { config, log, notify, stop }
}

/** From nothing to answering requests, in this process. Between any two steps it may be asked to stop. */
async function openAlone(start: Start, closers: Closers): Promise<void> {
  const { config, log, notify, stop } = start
  const runtime = await openRuntime({ config, log, notify, signal: stop.requested })
  closers.push(runtime.close)
  await claim(runtime)
  stop.requested.throwIfAborted()
  const app = await openApp(runtime, start, closers)
  const metricsUrl = await openMetrics(app.services.metrics.registry, start, closers)
  const made = config.production ? {} : await firstRun(app.services, config.issuer)
  // Before the first answer: whoever waits until it is ready finds them. Never through the log: it may be
  // collected, and these are secrets.
  const show = (url: string) => firstRunLines(made, url).forEach(narrate)
  if (config.PORT !== 0) show(urlOf(config.host, config.PORT))
  const url = await openServer(app, start, closers)
  if (config.PORT === 0) show(url)
  announceReady(start, { url, metricsUrl })
}
