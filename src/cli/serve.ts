import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { createApp } from '../app.ts'
import type { Config } from '../config.ts'
import { misspelt } from '../config-typos.ts'
import { type Log, openLog } from '../telemetry/log.ts'
import { scrape } from '../telemetry/scrape.ts'
import type { Say } from './database.ts'
import { Door, urlOf } from './door.ts'
import { firstRun, firstRunLines } from './first-run.ts'
import { example, runs, StartRefused } from './output.ts'
import { aborted, type Stopped, type StopSignals, stopSignals } from './stop-signals.ts'
import { loadConfig, type OpenedWorld, openWorld } from './world.ts'

export function serveCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('run the server until SIGTERM or Ctrl-C; what it needs and lacks is made first')
  example(command, 'signet serve', 'PORT=8080 LOG_FORMAT=json signet serve')
  runs(command, serve)
}

/** What to undo at the end, the newest first. */
type Closers = (() => Promise<unknown>)[]

async function serve(): Promise<void> {
  const stop = stopSignals()
  const config = loadConfig()
  if (config.PORT === 0 && config.issuer.endsWith(':0')) {
    throw new StartRefused('PORT=0 takes any free port: ISSUER must say where clients reach it.')
  }
  const log = openLog({ level: config.LOG_LEVEL, format: config.logFormat })
  logBugs(log)
  // Where the log is for people, these lines are for them too; else each is a line of the log.
  const say = config.logFormat === 'json' ? (line: string) => log.info(line) : narrate
  for (const line of misspelt(process.env)) say(line)
  const closers: Closers = []
  try {
    await open(config, { log, say, stop }, closers)
    await aborted(stop.asked)
  } catch (error) {
    // Half a start that was told to stop may fail in any way: Ctrl-C reaches initdb too.
    if (!stop.asked.aborted) throw error
  } finally {
    if (stop.asked.aborted) say(`stopping: ${(stop.asked.reason as Stopped).message}`)
    const failed = (error: unknown) => log.error({ err: error }, 'closing failed')
    for (const close of closers.reverse()) await close().catch(failed)
  }
  say('stopped')
}

interface Start {
  readonly log: Log
  readonly say: Say
  readonly stop: StopSignals
}

/** From nothing to answering requests. Between any two steps it may be asked to stop. */
async function open(config: Config, start: Start, closers: Closers): Promise<void> {
  const { log, say, stop } = start
  const world = await openWorld({ config, log, say, signal: stop.asked })
  closers.push(world.close)
  await claim(world)
  stop.asked.throwIfAborted()
  const app = await createApp(world)
  closers.push(app.stop)
  await app.start()
  stop.asked.throwIfAborted()

  const times = { requestSeconds: config.REQUEST_TIMEOUT_SECONDS }
  app.rooms.metrics.collectProcess()
  const metrics = await Door.open({
    ...{ handler: scrape(app.rooms.metrics, log), host: config.METRICS_HOST },
    ...{ ports: config.metricsPorts, variable: 'METRICS_PORT', ...times },
  })
  closers.push(() => metrics.close(0))
  const [wanted] = config.metricsPorts
  if (wanted !== 0 && wanted !== metrics.port) {
    say(`Port ${wanted} is in use, so the metrics are on port ${metrics.port} (METRICS_PORT)`)
  }
  const server = await Door.open({
    ...{ handler: app.handler, host: config.host },
    ...{ ports: [config.PORT], variable: 'PORT', ...times },
  })
  closers.push(async () => {
    app.drain()
    server.answerForTheLastTime()
    const signal = stop.insisted
    await sleep(config.SHUTDOWN_DELAY_SECONDS * 1000, undefined, { signal }).catch(() => undefined)
    await server.close(config.SHUTDOWN_SECONDS, signal)
  })

  const url = urlOf(config.host, server.port)
  const made = config.production ? {} : await firstRun(app.rooms, config.issuer)
  // Never through the log: it may be collected, and these are secrets.
  for (const line of firstRunLines(made, url)) narrate(line)
  const seconds = process.uptime().toFixed(1)
  const metricsUrl = `${urlOf(config.METRICS_HOST, metrics.port)}/metrics`
  if (config.logFormat === 'json') log.info({ issuer: config.issuer, url, metricsUrl }, 'ready')
  else
    say(`Signet serves ${config.issuer} on ${url} (ready in ${seconds} s), metrics: ${metricsUrl}`)
}

function narrate(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** What nobody has caught is in the log before the process ends; the one after it starts clean. */
function logBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a mistake of this server that nothing caught: the process ends')
    process.exit(1)
  })
}

/** One server in one folder: a second one would answer on the same data under another name. */
async function claim({ embedded, config }: OpenedWorld): Promise<void> {
  const self = `signet serve, process ${process.pid}, port ${config.PORT}`
  const other = await embedded?.claimServing(self)
  if (other === undefined) return
  throw new StartRefused(
    `Another Signet is running on ${config.DATA_DIR} already (${other}). Stop it, or give this one its ` +
      'own DATA_DIR and PORT; for several instances on one database set DATABASE_URL.',
  )
}
