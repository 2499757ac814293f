/**
 * The first signal requests a stop, the second one cuts off requests in progress, and the third one ends
 * the process.
 */
export interface StopSignals {
  readonly requested: AbortSignal
  readonly insisted: AbortSignal
}

/** The reason of an interrupted start; not a failure. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'
}

export function stopSignals(): StopSignals {
  const requested = new AbortController()
  const insisted = new AbortController()
  const onSignal = (name: string) => {
    if (insisted.signal.aborted) process.exit(1)
    if (requested.signal.aborted) insisted.abort(new StoppedError(name))
    else requested.abort(new StoppedError(name))
  }
  // A closed terminal requests a stop too; without a terminal, nohup may want SIGHUP to be ignored.
  const hangUp = process.stderr.isTTY ? (['SIGHUP'] as const) : []
  for (const signal of ['SIGINT', 'SIGTERM', ...hangUp] as const) process.on(signal, onSignal)
  return { requested: requested.signal, insisted: insisted.signal }
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
