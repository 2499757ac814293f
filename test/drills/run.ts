import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stopLeftovers } from '../../tools/postgres-server.ts'
import { Report } from '../support/runner/report.ts'
import { Closing } from '../support/server/closing.ts'
import { hangingStandby } from './hanging-standby.ts'
import type { Place } from './instances.ts'
import { pausedInstance } from './paused-instance.ts'
import { promotedStandby } from './promoted-standby.ts'
import { rollingRelease } from './rolling-release.ts'
import { wrongClocks } from './wrong-clocks.ts'

/**
 * `npm run drills`: faults and upgrades end no session. Each drill has instances and a PostgreSQL
 * of its own; arguments name some of them. The last line is for machines: `N passed, N failed`.
 */
const drills: Readonly<Record<string, [string, (place: Place) => Promise<string>]>> = {
  promoted: ['a standby that is seconds behind is promoted → no session is lost', promotedStandby],
  paused: ['an instance stands still for 20 s under load → no session is lost', pausedInstance],
  hanging: ['a synchronous standby hangs for 45 s → no session is lost', hangingStandby],
  releases: [
    'the release before runs beside this one, and after it → no session is lost',
    rollingRelease,
  ],
  clocks: ['wall clocks are off by 30 s and by an hour → nothing is lost or deleted', wrongClocks],
}
const minutesAtMost = 10

const say = (line: string) => console.log(`• ${line}`)
const closing = new Closing()
const report = new Report()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void finish(`stopped by ${signal}`))
}
const tooLong = `not done within ${minutesAtMost} minutes`
const late = setTimeout(() => void finish(tooLong), minutesAtMost * 60_000)

let finishing: Promise<void> | undefined
await runAll().then(
  () => finish(),
  (error) => finish((error as Error).message),
)

function finish(problem?: string): Promise<void> {
  finishing ??= (async () => {
    clearTimeout(late)
    if (problem !== undefined) console.error(`✘ ${problem}`)
    await closing.close()
    const { passed, failed: counted } = report.tally
    const failed = counted + (problem === undefined ? 0 : 1)
    console.log(`${passed} passed, ${failed} failed`)
    process.exit(failed > 0 ? 1 : 0)
  })()
  return finishing
}

async function runAll(): Promise<void> {
  const wanted = process.argv.slice(2)
  const unknown = wanted.find((name) => !(name in drills))
  if (unknown !== undefined) {
    throw new Error(`no drill is called ${unknown}: ${Object.keys(drills).join(', ')}`)
  }
  build()
  const folder = await mkdtemp(join(tmpdir(), 'signet-drills-'))
  // As root, PostgreSQL runs as somebody else, who must get through.
  await chmod(folder, 0o711)
  closing.add(() => stopLeftovers(folder))
  process.env.TMPDIR = folder
  const chosen = Object.entries(drills).filter(([name]) => !wanted.length || wanted.includes(name))
  say(`${chosen.length} drills, about a minute each`)
  for (const [name, [guarantee, drill]] of chosen) {
    say(name)
    const own = new Closing()
    closing.add(() => own.close())
    await report.check(guarantee, () => drill({ folder, closing: own }))
    await own.close()
  }
}

function build(): void {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const { status, stdout } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}`)
}
