import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../../tools/root.ts'
import { conformancePage, failedModules, writePages } from './conformance-page.ts'

/**
 * `npm run conformance`: the modules of the conformance suite, then the table of docs/conformance.md. The
 * page is renewed unless a module failed.
 */
const folder = join(root, 'test', 'conformance')
const files = (await readdir(folder)).filter(
  (name) => name.endsWith('.test.ts') && !name.startsWith('page'),
)
const tests = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    join(root, 'test/support/runner/run.ts'),
    ...files.map((name) => `test/conformance/${name}`),
  ],
  { cwd: root, stdio: ['inherit', 'pipe', 'inherit'] },
)
let report = ''
tests.stdout.on('data', (chunk) => {
  report += chunk
  process.stdout.write(chunk)
})
const [code] = await once(tests, 'close')
const failed = failedModules(report)
if (code === 0) {
  await writePages()
  console.log(conformancePage())
} else {
  console.error(failed.map((name) => `✘ ${name}`).join('\n'))
  process.exitCode = 1
}
