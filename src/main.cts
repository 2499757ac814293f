#!/usr/bin/env node
// CommonJS: reading an ES module starts the thread pool, and its size could no longer be set.
const { access, readdirSync }: typeof import('node:fs') = require('node:fs')
const { availableParallelism, getPriority, setPriority }: typeof import('node:os') =
  require('node:os')

// libuv reads the size once, when it first uses the pool. Signatures, files and the password checks of
// commands share these threads. Two more than cores, so that a signature never waits for a file.
const size = Math.min(1024, Math.max(4, availableParallelism() + 2))
process.env.UV_THREADPOOL_SIZE ??= String(size)
const others = new Set(threads())
access('/', () => undefined)
threads()
  .filter((thread) => !others.has(thread))
  .forEach(runAfterMainThread)

import('./cli/program.ts').then(async ({ createProgram }) =>
  (await createProgram(process.argv[2])).parseAsync(),
)

/** The threads of this process; none elsewhere than on Linux, where threads have no priority. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number)
  } catch {
    return []
  }
}

/**
 * Otherwise the main thread, which starts signatures, would queue behind the pool threads that wait for
 * the next one: a tenth of all cores was idle (ADR 23). A sandbox that forbids it only has slower tokens.
 */
function runAfterMainThread(thread: number): void {
  try {
    setPriority(thread, Math.min(19, getPriority() + 3))
  } catch {
    return
  }
}
