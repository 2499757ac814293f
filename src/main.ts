#!/usr/bin/env node
import { availableParallelism } from 'node:os'

// libuv reads this once, at its first use: signatures, files and the password checks of commands share
// these threads. Two more than cores, so that a signature waits for a core and never for a file.
const threads = Math.min(1024, Math.max(4, availableParallelism() + 2))
process.env.UV_THREADPOOL_SIZE ??= String(threads)

const { createProgram } = await import('./cli/program.ts')
await (await createProgram(process.argv[2])).parseAsync()
