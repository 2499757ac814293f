import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgresServer, stopLeftovers } from '../../tools/postgres-server.ts'
import { redisProgram, startRedisServer } from '../../tools/redis-server.ts'
import { prepareTemplate } from '../../tools/template.ts'
import { Report } from '../support/runner/report.ts'
import { Closing } from '../support/server/closing.ts'
import { checkApache } from './apache.ts'
import type { Stores } from './installation.ts'
import { needPackages } from './packages.ts'
import { checkPython } from './python.ts'
import { checkRotation } from './rotation-scenario.ts'

/**
 * `npm run recipes`: the code of docs/recipes against a real `signet serve`, and services that verify
 * through rotations; arguments name parts of it (rotation, python, apache). The last line is for machines: `N passed, N failed`.
 */
const say = (line: string) => console.log(`• ${line}`)
const closing = new Closing()
const report = new Report()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void finish(`stopped by ${signal}`))
}
const late = setTimeout(() => void finish('not done within 10 minutes'), 600_000)

let finishing: Promise<void> | undefined
await recipes().then(
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

async function recipes(): Promise<void> {
  build()
  await needPackages(say)
  say('docs/recipes, and two services through the rotations of a server: about 100 s')
  const stores = await openStores()
  const wanted = process.argv.slice(2)
  const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name)
  // It mostly waits, so that the others need no time of their own.
  const rotation = isWanted('rotation') ? checkRotation(stores, report, closing) : undefined
  const settled = rotation?.then(
    () => undefined,
    (error: Error) => error,
  )
  if (isWanted('python')) await checkPython(stores, report, closing)
  if (isWanted('apache')) await checkApache(stores, report, closing)
  const problem = await settled
  if (problem) throw problem
}

function build(): void {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const { status, stdout } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}`)
}

async function openStores(): Promise<Stores> {
  const folder = await mkdtemp(join(tmpdir(), 'signet-recipes-'))
  // As root, PostgreSQL and Apache run as somebody else, who must get through.
  await chmod(folder, 0o711)
  closing.add(() => stopLeftovers(folder))
  process.env.TMPDIR = folder
  const redis = await startRedisServer({ program: redisProgram(say) })
  closing.add(() => redis.close())
  const postgres = await startPostgresServer(join(folder, 'postgres-server'), () => undefined)
  closing.add(() => postgres.close())
  await prepareTemplate(postgres.url)
  return { postgresUrl: postgres.url, redisUrl: redis.url, folder }
}
