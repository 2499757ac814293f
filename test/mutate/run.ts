import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root } from '../../tools/root.ts'
import { buildTests } from '../support/runner/build.ts'
import { groupTests } from '../support/runner/groups.ts'
import { openServices } from '../support/runner/services.ts'
import { Closing } from '../support/server/closing.ts'
import { type Fault, withFault } from './fault.ts'
import { faultLists } from './faults/all.ts'

/**
 * `npm run mutate -- [folder …] [--dry]`: the tests can fail. Puts one small fault at a time into a copy of
 * the build, runs the tests of the folder, and names the faults that no test noticed. `--dry` only looks
 * whether each fault still fits the code.
 */
const minutesPerFault = 10
const folders = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const chosen = Object.entries(faultLists).filter(
  ([name]) => !folders.length || folders.includes(name),
)
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interruption.abort(new Error(`stopped by ${signal}`)))
}
const closing = new Closing()
const survivors: string[] = []
const misfits: string[] = []
let noticed = 0
try {
  await buildTests()
  await checkFit()
  if (!process.argv.includes('--dry')) await runAll()
} catch (error) {
  misfits.push((error as Error).message)
}
await closing.close()
console.log(`\n${noticed} noticed, ${survivors.length} not noticed, ${misfits.length} errors`)
for (const line of [...survivors, ...misfits]) console.log(`✘ ${line}`)
process.exitCode = survivors.length + misfits.length > 0 ? 1 : 0

async function checkFit(): Promise<void> {
  for (const [name, { faults }] of chosen) {
    for (const fault of faults) {
      const code = await readFile(join(root, compiledFile(name, fault)), 'utf8')
      try {
        withFault(code, fault)
      } catch (error) {
        misfits.push((error as Error).message)
      }
    }
    console.log(`${name}: ${faults.length} faults`)
  }
}

async function runAll(): Promise<void> {
  const environment = await openServices(closing, interruption.signal)
  const copy = await mkdtemp(join(environment.TMPDIR ?? '', 'mutants-'))
  const groups = await groupTests(
    chosen.flatMap(([, { tests }]) => tests.map((name) => `dist/${name}`)),
  )
  for (const part of ['package.json', 'package-lock.json', 'dist', 'docs', 'README.md', 'src']) {
    await cp(join(root, part), join(copy, part), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const [name, { tests, faults }] of chosen) {
    const all = tests.map((folder) => groups.filter((file) => isIn(file, folder)))
    await assertSound(name, { copy, stages: all, environment })
    for (const fault of faults) {
      interruption.signal.throwIfAborted()
      const nearest = await nearestTests(name, fault)
      const stages = nearest.length > 0 ? [nearest, ...all] : all
      await tryFault(name, fault, { copy, stages, environment })
    }
  }
}

/** A group of a folder lies in `groups/` under the folder's name. */
function isIn(file: string, tests: string): boolean {
  const folder = tests.replace(/^test\//, '')
  return new RegExp(`^dist/test/(groups/)?${folder}(-\\d+\\.|\\.|/)`).test(file)
}

/** The files named like the one with the fault: most faults are noticed there, in seconds. */
async function nearestTests(folder: string, [file]: Fault): Promise<string[]> {
  const tests = await readdir(join(root, 'dist', 'test', folder))
  const named = basename(file, '.ts')
  return tests
    .filter((test) => test.startsWith(named) && test.endsWith('.test.js'))
    .map((test) => join('dist', 'test', folder, test))
}

interface Run {
  readonly copy: string
  /** The test files, folder by folder. */
  readonly stages: readonly (readonly string[])[]
  readonly environment: NodeJS.ProcessEnv
}

async function tryFault(folder: string, fault: Fault, run: Run): Promise<void> {
  const [file, old, replacement] = fault
  const label = `${folder}/${file}: ${oneLine(old)} → ${oneLine(replacement) || '(nothing)'}`
  const compiled = join(run.copy, compiledFile(folder, fault))
  const code = await readFile(compiled, 'utf8')
  try {
    await writeFile(compiled, withFault(code, fault))
  } catch {
    // It was reported when the faults were checked.
    return
  }
  try {
    const failure = await firstFailure(run)
    if (failure === undefined) survivors.push(label)
    else noticed += 1
    console.log(failure === undefined ? `✘ ${label}` : `✔ ${label}\n    ${failure}`)
  } finally {
    await writeFile(compiled, code)
  }
}

/** A test that fails without a fault would notice every fault. */
async function assertSound(folder: string, run: Run): Promise<void> {
  const failure = await firstFailure(run)
  if (failure !== undefined) throw new Error(`${folder}: without a fault, ${failure}`)
  console.log(`${folder}: the tests pass without a fault`)
}

/** The first test that fails with the fault in place; undefined when all of them pass. */
async function firstFailure({ stages, copy, environment }: Run): Promise<string | undefined> {
  for (const files of stages) {
    const failure = await runTests(files, copy, environment)
    if (failure !== undefined) return failure
  }
  return undefined
}

async function runTests(
  files: readonly string[],
  copy: string,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const ava = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')
  const options = ['--fail-fast', '--concurrency', String(availableParallelism())]
  const child = spawn(process.execPath, [ava, ...options, ...files], {
    cwd: copy,
    env: { ...environment, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  let isLate = false
  const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
  const late = setTimeout(() => {
    isLate = true
    end()
  }, minutesPerFault * 60_000)
  interruption.signal.addEventListener('abort', end, { once: true })
  const [code] = await once(child, 'close')
  clearTimeout(late)
  interruption.signal.removeEventListener('abort', end)
  interruption.signal.throwIfAborted()
  if (code === 0) return undefined
  if (isLate) return `the tests did not end within ${minutesPerFault} minutes`
  const lines = stripVTControlCharacters(output).split('\n')
  const failure = lines.find((line) => /^ {2}(✘|Uncaught|Unhandled)/.test(line))
  // A run that breaks for another reason says nothing about the fault.
  if (failure === undefined) throw new Error(`ava failed without a failing test:\n${output}`)
  return failure.trim()
}

function compiledFile(folder: string, [file]: Fault): string {
  return join('dist', 'src', folder, file.replace(/\.ts$/, '.js'))
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
