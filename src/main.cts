#!/usr/bin/env node
// CommonJS: to read an ES module Node uses its thread pool, and all below would come too late.
const { access, readdirSync }: typeof import('node:fs') = require('node:fs')
const { availableParallelism, getPriority, setPriority }: typeof import('node:os') =
  require('node:os')

// libuv reads this once, at its first use: signatures, files and the password checks of commands share
// these threads. Two more than cores, so that a signature waits for a core and never for a file.
const size = Math.min(1024, Math.max(4, availableParallelism() + 2))
process.env.UV_THREADPOOL_SIZE ??= String(size)
const others = new Set(threads())
access('/', () => undefined)
threads()
  .filter((thread) => !others.has(thread))
  .forEach(letMainThreadGoFirst)

import('./cli/program.ts').then(async ({ createProgram }) =>
  (await createProgram(process.argv[2])).parseAsync(),
)

/** Those of this process. Elsewhere than on Linux a priority is not that of a thread. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number)
  } catch {
    return []
  }
}

/**
 * The thread that hands out signatures would else stand in line with those that wait for the next one: a
 * tenth of all cores was idle. A sandbox that forbids it has slower tokens and no other disadvantage.
 */
function letMainThreadGoFirst(thread: number): void {
  try {
    setPriority(thread, Math.min(19, getPriority() + 3))
  } catch {
    return
  }
}
