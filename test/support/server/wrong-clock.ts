import { spawnSync } from 'node:child_process'
import { debianProgram } from '../../../tools/debian-program.ts'

/** The wrapper names a semaphore by its process id, which one that was killed earlier may have left. */
const tries = 5

/** The environment in which a program sees a clock that is so wrong, such as `+1h`. */
export function wrongClock(difference: string): Record<string, string> {
  let problem = ''
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const ran = spawnSync(debianProgram('faketime'), ['-f', difference, 'env'], {
      encoding: 'utf8',
    })
    const library = /^LD_PRELOAD=(.+)$/m.exec(ran.stdout)?.[1]
    if (library) {
      return { LD_PRELOAD: library, FAKETIME: difference, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
    }
    problem = ran.stderr
  }
  throw new Error(`faketime does not work here: ${problem}`)
}
