/** The injected clock for every decision about time, so that tests move the time instead of waiting. */
export type Now = () => Date

export const later = (from: Date, seconds: number): Date =>
  new Date(from.getTime() + seconds * 1000)

export const secondsBetween = (from: Date, to: Date): number =>
  (to.getTime() - from.getTime()) / 1000

/** NumericDate of RFC 7519 §2: whole seconds since the epoch. */
export const epochSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

/**
 * Runs a job repeatedly, never concurrently, until it is stopped. A failure is passed to `onError`, and the
 * job runs again at its next turn.
 * @returns a function that stops it and resolves when the current run has ended
 */
export function every(
  seconds: number,
  job: () => Promise<unknown>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout
  let stopped = false
  const wait = () => {
    timer = setTimeout(run, seconds * 1000).unref()
  }
  const run = () => {
    running = job()
      .catch(onError)
      .then(() => {
        if (!stopped) wait()
      })
  }
  wait()
  return () => {
    stopped = true
    clearTimeout(timer)
    return running
  }
}

/** Waits for `work` at most this long. @returns its result, or `late` when it takes longer */
export async function within<T>(seconds: number, work: Promise<T>, late: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000, late)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
