import { type Checks, log, runChecks } from '../support/runner/checks.ts'
import { Closing } from '../support/server/closing.ts'
import { drills } from './drills.ts'
import { faults } from './faults.ts'
import { faultsOfADeployment } from './faults-of-a-deployment.ts'
import type { Place } from './instances.ts'

/**
 * `npm run drills`: faults and upgrades end no session. `deployment` brings many faults to one deployment;
 * the other drills have instances and a PostgreSQL of their own. Arguments name some of them. The last line
 * is for machines: `N passed, N failed`.
 */
const deployment = 'deployment'
const known = [deployment, ...Object.keys(drills)]
const names = process.argv.slice(2)
const unknown = names.find((name) => !known.includes(name))
if (unknown !== undefined) {
  console.error(`no drill is called ${unknown}: ${known.join(', ')}`)
  process.exit(1)
}
await runChecks({ name: 'drills', minutes: 25 }, run)

async function run({ report, closing, folder }: Checks): Promise<void> {
  for (const name of known.filter((one) => !names.length || names.includes(one))) {
    const own = new Closing()
    closing.add(() => own.close())
    await runOne(name, { folder, closing: own }, report)
    await own.close()
  }
}

async function runOne(name: string, place: Place, report: Checks['report']): Promise<void> {
  const drill = drills[name]
  if (drill) {
    log(`${name}: about a minute`)
    await report.check(`${drill.fault} → no session is lost`, () => drill.run(place))
  } else {
    log(`${name}: ${Object.keys(faults).length} faults, about eight minutes`)
    await faultsOfADeployment(place, report)
  }
}
