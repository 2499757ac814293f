import { type Checks, log, runChecks } from '../support/runner/checks.ts'
import { Closing } from '../support/server/closing.ts'
import { hangingStandby } from './hanging-standby.ts'
import type { Place } from './instances.ts'
import { pausedInstance } from './paused-instance.ts'
import { promotedStandby } from './promoted-standby.ts'
import { rollingRelease } from './rolling-release.ts'
import { switchover } from './switchover.ts'
import { wrongClocks } from './wrong-clocks.ts'

/**
 * `npm run drills`: faults and upgrades end no session. Each drill has instances and a PostgreSQL
 * of its own; arguments name some of them. The last line is for machines: `N passed, N failed`.
 */
const drills: Readonly<Record<string, [string, (place: Place) => Promise<string>]>> = {
  promoted: ['a standby that is seconds behind is promoted → no session is lost', promotedStandby],
  switchover: [
    'the primary is changed between PAUSE and RESUME of PgBouncer → no session is lost',
    switchover,
  ],
  paused: ['an instance stands still for 20 s under load → no session is lost', pausedInstance],
  hanging: ['a synchronous standby hangs for 45 s → no session is lost', hangingStandby],
  releases: [
    'the release before runs beside this one, and after it → no session is lost',
    rollingRelease,
  ],
  clocks: ['wall clocks are off by 30 s and by an hour → nothing is lost or deleted', wrongClocks],
}

const names = process.argv.slice(2)
const unknown = names.find((name) => !(name in drills))
if (unknown !== undefined) {
  console.error(`no drill is called ${unknown}: ${Object.keys(drills).join(', ')}`)
  process.exit(1)
}
await runChecks({ name: 'drills', minutes: 10 }, run)

async function run({ report, closing, folder }: Checks): Promise<void> {
  const chosen = Object.entries(drills).filter(([name]) => !names.length || names.includes(name))
  log(`${chosen.length} drills, about a minute each`)
  for (const [name, [guarantee, drill]] of chosen) {
    log(name)
    const own = new Closing()
    closing.add(() => own.close())
    await report.check(guarantee, () => drill({ folder, closing: own }))
    await own.close()
  }
}
