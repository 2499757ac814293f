import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../../tools/root.ts'

const built = join(root, 'dist', 'test')

/**
 * Tests run as JavaScript: a file is a process of its own, and compiling in each of them took longer
 * than most of the tests. Types are checked before, by `npm run check`.
 */
export async function buildTests(): Promise<void> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = { cwd: root, maxBuffer: 1e7 }
  await promisify(execFile)(
    process.execPath,
    [compiler, '-p', 'tsconfig.test.json'],
    options,
  ).catch((error) => {
    throw new Error(`the tests do not compile:\n${error.stdout || error.message}`)
  })
  // A test that was renamed or deleted must not run again.
  for (const file of await readdir(built, { recursive: true })) {
    if (!/\.test\.js$/.test(file)) continue
    const source = join(root, 'test', file.replace(/\.js$/, '.ts'))
    if (!existsSync(source)) await rm(join(built, file))
  }
}

/** The compiled file or pattern of a source: `test/one.test.ts`, `test/sessions/*.test.ts`. */
export const builtName = (argument: string): string =>
  /^(\.\/)?test\//.test(argument)
    ? argument.replace(/^(\.\/)?test\//, 'dist/test/').replace(/\.ts$/, '.js')
    : argument
