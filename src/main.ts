#!/usr/bin/env node
import { availableParallelism } from 'node:os'

// libuv reads this once, at its first use: signatures, password checks and files share these threads.
// Two more than there are password checks, so that a signature never waits for one.
const checks = Number(process.env.PASSWORD_CONCURRENCY) || availableParallelism()
process.env.UV_THREADPOOL_SIZE ??= String(Math.min(1024, Math.max(4, checks + 2)))

const { createProgram } = await import('./cli/program.ts')
await (await createProgram(process.argv[2])).parseAsync()
