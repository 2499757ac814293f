import { availableParallelism } from 'node:os'
import { Closing } from '../server/closing.ts'
import { runAva } from './ava.ts'
import { buildTests, builtName } from './build.ts'
import { groupTests } from './groups.ts'
import { openServices } from './services.ts'
import type { Tally } from './tally.ts'

/**
 * `npm test`: a real PostgreSQL and a real Redis, then ava with the arguments given, then
 * everything that was started is stopped. The last line is for machines: `N passed, N failed`.
 */
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interruption.abort(new Error(`stopped by ${signal}`)))
}

const closing = new Closing()
let counts: Tally = { passed: 0, failed: 1 }
try {
  await buildTests()
  const environment = await openServices(closing, interruption.signal)
  counts = await runAva(await avaArguments(), environment, interruption.signal)
} catch (error) {
  console.error(`✘ ${(error as Error).message}`)
}
await closing.close()
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed > 0 ? 1 : 0

/**
 * Folders run in groups, a file or a pattern that is named runs as it is. The whole suite takes twice the
 * cores: a test waits half of its time for a database, a process or a moment.
 */
async function avaArguments(): Promise<string[]> {
  const args = process.argv.slice(2).map(builtName)
  const folders = args.filter((argument) => /^dist\/test\/[^*.]+(\/\*\*)?$/.test(argument))
  const others = args.filter((argument) => !folders.includes(argument))
  const isWhole = !args.some((argument) => argument.startsWith('dist/'))
  if (!isWhole && folders.length === 0) return others
  const groups = await groupTests(folders.map((folder) => folder.replace(/\/(\*\*)?$/, '')))
  const processes = availableParallelism() * (isWhole ? 2 : 1)
  return ['--concurrency', String(processes), ...groups, ...others]
}
