/**
 * The first signal asks to stop, the second does not wait for requests under way, the third for
 * nothing.
 */
export interface StopSignals {
  readonly requested: AbortSignal
  readonly insisted: AbortSignal
}

/** Why a start was given up, if it was: not an error. */
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
  // A closed terminal asks too; without a terminal nohup may want it to be ignored.
  const hangUp = process.stderr.isTTY ? (['SIGHUP'] as const) : []
  for (const signal of ['SIGINT', 'SIGTERM', ...hangUp] as const) process.on(signal, onSignal)
  return { requested: requested.signal, insisted: insisted.signal }
}

/** Resolves when the signal comes, at once when it came before. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
