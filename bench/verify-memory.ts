import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const revocations = 100_000

/** The memory that a list of revocations takes in a service. */
export interface Memory {
  readonly entries: number
  readonly bytes: number
  readonly bytesPerEntry: number
}

/** In a process of its own, so that nothing else is weighed. */
export async function weigh(): Promise<Memory> {
  const execArgv = [...process.execArgv, '--expose-gc']
  const program = fileURLToPath(new URL('verify-weighing.ts', import.meta.url))
  const child = fork(program, [String(revocations)], { execArgv })
  const [bytes] = (await once(child, 'message')) as [number]
  await once(child, 'exit')
  return { entries: revocations, bytes, bytesPerEntry: bytes / revocations }
}
