import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopLeftovers } from '../../../tools/postgres-server.ts'
import { root } from '../../../tools/root.ts'
import { Closing } from '../server/closing.ts'
import { Report } from './report.ts'

/** The report, the closers and the folder of a run; all of it is removed at the end. */
export interface Checks {
  readonly report: Report
  readonly closing: Closing
  readonly folder: string
}

export const log = (line: string): void => console.log(`• ${line}`)

/**
 * Builds Signet and runs checks that are no ava tests: recipes and drills. Stops at a signal or at the time
 * limit, closes what was opened, prints `N passed, N failed` as the last line and ends the process.
 */
export async function runChecks(
  { name, minutes }: { readonly name: string; readonly minutes: number },
  check: (checks: Checks) => Promise<void>,
): Promise<void> {
  const closing = new Closing()
  const report = new Report()
  let finishing: Promise<void> | undefined
  const finish = (problem?: string): Promise<void> => {
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
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void finish(`stopped by ${signal}`))
  }
  const late = setTimeout(() => void finish(`not done within ${minutes} minutes`), minutes * 60_000)
  const run = async () => {
    build()
    await check({ report, closing, folder: await openFolder(name, closing) })
  }
  await run().then(
    () => finish(),
    (error: Error) => finish(error.message),
  )
}

function build(): void {
  const options = { cwd: root, encoding: 'utf8' } as const
  const { status, stdout } = spawnSync('npm', ['run', '--silent', 'build'], options)
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}`)
}

/** Everything that is started below puts its files here. */
async function openFolder(name: string, closing: Closing): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `signet-${name}-`))
  // As root, PostgreSQL and Apache run as another user, who needs to pass.
  await chmod(folder, 0o711)
  closing.add(() => stopLeftovers(folder))
  process.env.TMPDIR = folder
  return folder
}
