import { setTimeout as sleep } from 'node:timers/promises'
import { residentKilobytes } from './cpu-time.ts'
import type { Setup } from './setup.ts'
import { serve } from './signet.ts'
import { type Spread, spreadOf } from './statistics.ts'
import { table } from './table.ts'

/** From the launch to the first 200 of its health check, and the memory that it then rests with. */
export interface StartUp {
  readonly readySeconds: Spread
  readonly idleMebibytes: Spread | undefined
}

const starts = 5
/** V8 collects what a start leaves behind once hardly anything has happened for some fifteen seconds. */
const restSeconds = 25

export async function measureStartUp({ stage, builds }: Setup): Promise<StartUp> {
  const seconds: number[] = []
  const mebibytes: number[] = []
  const [build] = builds
  if (!build) throw new Error('there is no build to start')
  for (let start = 0; start < starts; start += 1) {
    const { child, readySeconds } = await serve(stage, build.installation)
    await sleep(restSeconds * 1000)
    const resident = residentKilobytes(child.pid)
    await child.close()
    seconds.push(readySeconds)
    if (resident !== undefined) mebibytes.push(resident / 1024)
    stage.say(`start ${start + 1}/${starts}: ready in ${readySeconds.toFixed(2)} s`)
  }
  return {
    readySeconds: spreadOf(seconds),
    idleMebibytes: mebibytes.length > 0 ? spreadOf(mebibytes) : undefined,
  }
}

export function startUpTable({ readySeconds, idleMebibytes }: StartUp): string {
  const told = ({ median, lowest, highest }: Spread, digits: number) =>
    `${median.toFixed(digits)} (${lowest.toFixed(digits)}–${highest.toFixed(digits)})`
  return table(
    ['start-up with an external PostgreSQL', 'measured', 'goal'],
    [
      ['ready to answer', `${told(readySeconds, 2)} s`, '< 1 s'],
      ['memory at rest (VmRSS)', idleMebibytes ? `${told(idleMebibytes, 0)} MiB` : '', '< 120 MB'],
    ],
  )
}
