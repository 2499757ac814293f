import { readArguments } from './arguments.ts'
import { contest } from './contest.ts'
import { build, installPeers } from './installation.ts'
import { describeMachine } from './machine.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { measurePages } from './pages.ts'
import { chaptersOf, type Report, writePage } from './report.ts'
import { measureScaling } from './scaling.ts'
import { openSetup } from './setup.ts'
import { openStage, type Stage } from './stage.ts'
import { measureStartUp } from './start-up.ts'
import { measureTables } from './tables/tables.ts'
import { durationOf, works } from './works.ts'

/** `npm run bench`: this server, the limits and the peers in one run. What it started ends with it. */
const options = readArguments(process.argv.slice(2))
const { names, pace } = options
// The tables alone are on standard output.
const say = (line: string) => process.stderr.write(`• ${line}\n`)

const minutes = durationOf(names, pace, options.against ? 2 : 1) / 60
say(`Measuring ${names.join(', ')}: about ${Math.ceil(minutes)} minutes, at most ${bound(minutes)}`)
if (options.build) build(say)
installPeers(say)
const opening = openStage(say)
stopBy(opening)
const stage = await opening
try {
  const report = await measure(stage)
  if (options.write) await writePage(report)
  const text = options.json
    ? JSON.stringify(report, null, 2)
    : Object.values(chaptersOf(report)).join('\n\n')
  process.stdout.write(`${text}\n`)
} finally {
  await stage.close()
}
process.exit()

async function measure(on: Stage): Promise<Report> {
  const machine = describeMachine(on, options.generator)
  const setup = await openSetup(on, options)
  const outcomes: Outcome[] = []
  for (const name of names) {
    const listed = works[name]
    if (!listed) continue
    const work = await listed.open(setup)
    outcomes.push(outcomeOf(work, await contest(work, pace, say)))
    await work.close()
  }
  const pages = names.includes('pages') ? await measurePages(setup) : undefined
  const startUp = names.includes('start_up') ? await measureStartUp(setup) : undefined
  const scaling = names.includes('workers') ? await measureScaling(setup) : undefined
  const tables = names.includes('tables') ? await measureTables(setup) : undefined
  return { machine, pace, outcomes, pages, startUp, scaling, tables }
}

function bound(about: number): number {
  return Math.ceil(2 * about + 3)
}

/** Interrupted, or far beyond its time: nothing that it started stays. */
function stopBy(open: Promise<Stage>): void {
  const stop = async (why: string) => {
    say(`stopping: ${why}`)
    await open.then(({ close }) => close()).catch(() => undefined)
    process.exit(1)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void stop(signal))
  }
  setTimeout(() => void stop('it takes too long'), bound(minutes) * 60_000).unref()
}
