import { spawnSync } from 'node:child_process'
import { debianProgram } from '../../../tools/debian-program.ts'

/** The environment in which a program sees a clock that is so wrong, such as `+1h`. */
export function wrongClock(difference: string): Record<string, string> {
  const ran = spawnSync(debianProgram('faketime'), ['-f', difference, 'env'], { encoding: 'utf8' })
  const library = /^LD_PRELOAD=(.+)$/m.exec(ran.stdout)?.[1]
  if (!library) throw new Error(`faketime does not work here: ${ran.stderr}`)
  return { LD_PRELOAD: library, FAKETIME: difference, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
}
