import { join } from 'node:path'
import { startPostgresServer } from '../../tools/postgres-server.ts'
import { redisProgram, startRedisServer } from '../../tools/redis-server.ts'
import { prepareTemplate } from '../../tools/template.ts'
import { type Checks, log, runChecks } from '../support/runner/checks.ts'
import { checkApache } from './apache.ts'
import type { Stores } from './installation.ts'
import { needPackages } from './packages.ts'
import { checkProxies } from './proxies.ts'
import { checkPython } from './python.ts'
import { checkRelyingParties } from './relying-parties.ts'
import { checkRotation } from './rotation-scenario.ts'

/**
 * `npm run recipes`: the code of docs/recipes and docs/sign-in.md against a real `signet serve`, the proxies of
 * deploy/ in front of two, and services that verify through rotations. Arguments name parts of it (rotation,
 * python, apache, sign-in, proxies). The last line is for machines: `N passed, N failed`.
 */
await runChecks({ name: 'recipes', minutes: 10 }, async (checks) => {
  const { report, closing } = checks
  await needPackages(log)
  log('docs/recipes, deploy/, and two services through the rotations of a server: about 100 s')
  const stores = await openStores(checks)
  const names = process.argv.slice(2)
  const isChosen = (name: string) => names.length === 0 || names.includes(name)
  // It mostly waits, so the others run beside it.
  const rotation = isChosen('rotation') ? checkRotation(stores, report, closing) : undefined
  const settled = rotation?.then(
    () => undefined,
    (error: Error) => error,
  )
  if (isChosen('python')) await checkPython(stores, report, closing)
  if (isChosen('apache')) await checkApache(stores, report, closing)
  if (isChosen('proxies')) await checkProxies(stores, report, closing)
  if (isChosen('sign-in')) await checkRelyingParties(stores, report, closing)
  const problem = await settled
  if (problem) throw problem
})

async function openStores({ closing, folder }: Checks): Promise<Stores> {
  const redis = await startRedisServer({ program: redisProgram(log) })
  closing.add(() => redis.close())
  const postgres = await startPostgresServer(join(folder, 'postgres-server'), () => undefined)
  closing.add(() => postgres.close())
  await prepareTemplate(postgres.url)
  return { postgresUrl: postgres.url, redisUrl: redis.url, folder }
}
