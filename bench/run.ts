import { readArguments } from './arguments.ts'
import { contest } from './contest.ts'
import { build, installPeers } from './installation.ts'
import { describeMachine } from './machine.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { print } from './report.ts'
import { openStage } from './stage.ts'
import { worksNamed } from './works.ts'
import { openWorld } from './world.ts'

/** `npm run bench`: this server, the limits and the peers in one run. What it started ends with it. */
const options = readArguments(process.argv.slice(2))
// The table alone is on standard output.
const say = (line: string) => process.stderr.write(`• ${line}\n`)
const works = worksNamed(options.only)
if (options.build) build(say)
installPeers(say)

const stage = await openStage(say)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, async () => {
    await stage.close()
    process.exit(1)
  })
}
try {
  const machine = describeMachine(stage)
  const world = await openWorld(stage, options)
  const outcomes: Outcome[] = []
  for (const open of works) {
    const work = await open(world)
    outcomes.push(outcomeOf(work, await contest(work, options.pace, say)))
    await work.close()
  }
  await print({ machine, pace: options.pace, outcomes }, options)
} finally {
  await stage.close()
}
