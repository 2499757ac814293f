import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again until it is so, for work that another process or the background does. The bound is for a
 * machine that does much else, where a mail may miss its connection twice and is tried again after minutes;
 * only a test that fails waits for it.
 */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  seconds = 240,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(20)
  }
}
