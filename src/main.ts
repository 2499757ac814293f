#!/usr/bin/env node
import { availableParallelism } from 'node:os'

// libuv reads this once, at its first use: signatures, password checks and files share these threads.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism() + 2))

const { createProgram } = await import('./cli/program.ts')
await createProgram().parseAsync()
