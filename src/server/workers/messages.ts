import type { Snapshot } from '../../telemetry/worker-metrics.ts'
import { StoppedError, type StopSignals } from '../stop-signals.ts'

/** What the primary process says to its workers. */
export type FromPrimary =
  | { readonly signet: 'stop' | 'insist'; readonly signal: string }
  | { readonly signet: 'metrics'; readonly id: number }

/** What a worker says: that it is alive each second, whether anybody asks or not. */
export type FromWorker =
  | { readonly signet: 'alive' }
  | { readonly signet: 'ready'; readonly url: string }
  | { readonly signet: 'metrics'; readonly id: number; readonly snapshot: Snapshot }

/**
 * A worker stops when the primary says so. Signals it ignores: a terminal, or systemd, sends them to the
 * primary as well, which would make two out of one.
 */
export function stopMessages(): StopSignals {
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
