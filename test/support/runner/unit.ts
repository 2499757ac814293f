import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { root } from '../../../tools/root.ts'
import { runAva } from './ava.ts'
import { buildTests } from './build.ts'
import { isAlone } from './groups.ts'

/**
 * `npm run test:unit`: the tests that need no PostgreSQL, no Redis and no other process, in seconds. They
 * are found by what they import, so no list can be forgotten.
 */
const built = join(root, 'dist', 'test')
const services = /TEST_DATABASE_URL|TEST_REDIS|node:child_process|node:cluster/
const imports = /(?:from|import)\s*\(?'(\.[^']+)'/g

await buildTests()
const files = await readdir(built, { recursive: true })
const chosen: string[] = []
for (const file of files.filter(
  (name) => name.endsWith('.test.js') && !name.startsWith('groups'),
)) {
  const source = await readFile(join(root, 'test', file.replace(/\.js$/, '.ts')), 'utf8')
  if (!isAlone(source) && !(await needsServices(join(built, file), new Set()))) chosen.push(file)
}
const { passed, failed } = await runAva(
  chosen.map((file) => join('dist', 'test', file)),
  process.env,
  new AbortController().signal,
)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

/** True when a compiled test, or a tool that it imports, starts or reaches a service. */
async function needsServices(file: string, seen: Set<string>): Promise<boolean> {
  if (seen.has(file) || !/^(test|tools)\//.test(relative(join(root, 'dist'), file))) return false
  seen.add(file)
  const code = await readFile(file, 'utf8')
  if (services.test(code)) return true
  for (const [, imported = ''] of code.matchAll(imports)) {
    if (await needsServices(resolve(dirname(file), imported), seen)) return true
  }
  return false
}
