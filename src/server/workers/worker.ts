import { openLog } from '../../telemetry/log.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { explain } from '../explain.ts'
import { loadConfig, openRuntime } from '../open-runtime.ts'
import { logBugs, narrate, openApp, openServer, type Start, untilStopped } from '../startup.ts'
import { tickMilliseconds } from './heartbeat.ts'
import { type FromPrimary, type FromWorker, stopMessages } from './messages.ts'

/** Set by the primary process: which of the workers this one is. */
export const workerVariable = 'SIGNET_WORKER'

/**
 * One of several processes behind one port. It does all that a server does, but what is made once (the
 * database, master keys, a first administrator) and the metrics port, which are the primary's.
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
  // The channel to the primary would keep it alive.
  process.exit(failed ? 1 : 0)
}

async function serve(stop: Start['stop']): Promise<void> {
  setInterval(() => tell({ signet: 'alive' }), tickMilliseconds).unref()
  const config = loadConfig()
  const worker = Number(process.env[workerVariable])
  const log = openLog({ level: config.LOG_LEVEL, format: config.logFormat, worker })
  logBugs(log)
  const start: Start = { config, log, stop, notify: (line) => log.debug(line) }
  await untilStopped(start, async (closers) => {
    const runtime = await openRuntime({ ...start, signal: stop.requested })
    closers.push(runtime.close)
    stop.requested.throwIfAborted()
    const app = await openApp(runtime, start, closers)
    answerForMetrics(app.services.metrics)
    const url = await openServer(app, start, closers)
    tell({ signet: 'ready', url })
  })
}

function answerForMetrics({ registry }: Metrics): void {
  process.on('message', async (message: FromPrimary) => {
    if (message.signet !== 'metrics') return
    const snapshot = await registry.getMetricsAsJSON()
    tell({ signet: 'metrics', id: message.id, snapshot })
  })
}

/** A primary that has gone takes its workers with it: there is nobody to complain to. */
const tell = (message: FromWorker): void =>
  void (process.connected && process.send?.(message, undefined, undefined, () => undefined))
