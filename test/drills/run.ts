import { type Checks, log, runChecks } from '../support/runner/checks.ts'
import { Closing } from '../support/server/closing.ts'
import { drills } from './drills.ts'
import type { Cost } from './families.ts'
import { faults } from './faults.ts'
import { faultsOfADeployment } from './faults-of-a-deployment.ts'
import type { Place } from './instances.ts'

/**
 * `npm run drills`: faults and upgrades end no session. `deployment` brings many faults to one deployment;
 * beside it run the other drills, which have instances and a PostgreSQL of their own. Arguments name some of
 * them. Prints the rows of the table in docs/operations.md. The last line is for machines:
 * `N passed, N failed`.
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
  const chosen = known.filter((one) => !names.length || names.includes(one))
  const costs = new Map<string, Cost>()
  const told = (fault: string, cost: Cost) => void costs.set(fault, cost)
  const runAll = async (some: readonly string[]) => {
    for (const name of some) {
      const own = new Closing()
      closing.add(() => own.close())
      await runOne(name, { folder, closing: own }, report, told)
      await own.close()
    }
  }
  // They mostly wait, so two run side by side.
  const lanes = [
    chosen.filter((name) => name === deployment),
    chosen.filter((name) => name in drills),
  ]
  await Promise.all(lanes.map(runAll))
  const rows = [...Object.keys(faults), ...Object.values(drills).map(({ fault }) => fault)]
  for (const fault of rows) {
    const cost = costs.get(fault)
    if (cost) console.log(`| ${fault} | ${cost.lost} of ${cost.families} | ${cost.answers} |`)
  }
}

async function runOne(
  name: string,
  place: Place,
  report: Checks['report'],
  told: (fault: string, cost: Cost) => void,
): Promise<void> {
  const drill = drills[name]
  if (!drill) {
    log(`${name}: ${Object.keys(faults).length} faults, about eight minutes`)
    return faultsOfADeployment(place, report, told)
  }
  const { fault, run: bring } = drill
  log(`${name}: about a minute`)
  const outcome = await bring(place).catch((error: Error) => error)
  if (typeof outcome === 'string') return log(`${name}: not run: ${outcome}`)
  await report.check(`${fault} → no session is lost`, async () => {
    if (outcome instanceof Error) throw outcome
    told(fault, outcome)
    return `families lost: ${outcome.lost} of ${outcome.families}; answers: ${outcome.answers}`
  })
}
