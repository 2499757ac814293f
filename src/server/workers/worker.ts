import type { Config } from '../../config/config.ts'
import type { Theme } from '../../pages/theme/theme.ts'
import { type Log, openLog } from '../../telemetry/log.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { explain } from '../explain.ts'
import { loadConfig, openRuntime } from '../open-runtime.ts'
import { openTheme } from '../open-theme.ts'
import { logBugs, narrate, openApp, openServer, type Start, untilStopped } from '../startup.ts'
import { StoppedError, type StopSignals } from '../stop-signals.ts'
import { tickMilliseconds } from './heartbeat.ts'
import { type FromPrimary, type FromWorker, workerVariable } from './messages.ts'

/**
 * Serves as one of several processes behind one port. The primary process does what is done once: it
 * prepares the database, the master keys and the first administrator, and opens the metrics port.
 */
export async function serveAsWorker(): Promise<void> {
  const stop = stopMessages()
  const failed = await serve(stop).then(
    () => false,
    (error) => {
      narrate(`signet: ${explain(error)}`)
      return true
    },
  )
  // The channel to the primary would keep this process alive.
  process.exit(failed ? 1 : 0)
}

async function serve(stop: StopSignals): Promise<void> {
  setInterval(() => send({ signet: 'alive' }), tickMilliseconds).unref()
  const config = loadConfig()
  const worker = Number(process.env[workerVariable])
  const isTraced = config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined
  const log = openLog({ level: config.LOG_LEVEL, format: config.logFormat, worker, isTraced })
  logBugs(log)
  const theme = await themeOfWorker(config, log)
  const notify = (line: string) => log.debug(line)
  const start: Start = { config, log, stop, notify, worker, ...(theme && { theme }) }
  await untilStopped(start, async (closers) => {
    const runtime = await openRuntime({ ...start, signal: stop.requested })
    closers.push(runtime.close)
    stop.requested.throwIfAborted()
    const app = await openApp(runtime, start, closers)
    answerForMetrics(app.services.metrics)
    const url = await openServer(app, start, closers)
    send({ signet: 'ready', url })
  })
}

/**
 * The primary process has read the theme and shown its warnings. If the folder has a fault since, a worker
 * that is replaced signs people in with the built-in look.
 */
async function themeOfWorker(config: Config, log: Log): Promise<Theme | undefined> {
  try {
    return (await openTheme(config, { warn: () => undefined })).theme
  } catch (error) {
    log.error({ err: error }, 'the theme cannot be read any more: the pages have the built-in look')
    return undefined
  }
}

/**
 * Stops a worker on the primary's message. Signals are ignored: a terminal or systemd sends them to the
 * primary as well, so that each would count twice.
 */
function stopMessages(): StopSignals {
  const requested = new AbortController()
  const insisted = new AbortController()
  process.on('message', (message: FromPrimary) => {
    if (message.signet === 'stop') requested.abort(new StoppedError(message.signal))
    if (message.signet === 'insist') insisted.abort(new StoppedError(message.signal))
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => undefined)
  }
  return { requested: requested.signal, insisted: insisted.signal }
}

function answerForMetrics({ registry }: Metrics): void {
  process.on('message', async (message: FromPrimary) => {
    if (message.signet !== 'metrics') return
    send({ signet: 'metrics', snapshot: await registry.getMetricsAsJSON() })
  })
}

/** Ignores failures: when the primary has ended, nothing can be reported to it. */
const send = (message: FromWorker): void =>
  void (process.connected && process.send?.(message, undefined, undefined, () => undefined))
