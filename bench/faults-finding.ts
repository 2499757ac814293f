import { readFileSync } from 'node:fs'
import { eventually } from '../tools/eventually.ts'
import { ask } from './faults-answers.ts'
import type { FloodServer } from './flood-server.ts'

/** The observations of one fault. */
export interface Finding {
  readonly fault: string
  readonly meanwhile: string
  readonly memoryMib: string
  readonly recovery: string
}

export const say = (line: string) => process.stderr.write(`• ${line}\n`)

const residentMib = ({ pid }: FloodServer): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

/** How long after its cause has gone until a request is answered as if nothing had been. */
async function recovery(base: string): Promise<string> {
  const startedAt = performance.now()
  await eventually(async () => (await ask(base)).status === 200, 'it has recovered', 60)
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}

export async function observe(
  server: FloodServer,
  fault: string,
  work: () => Promise<string>,
  recovered = () => recovery(server.url),
): Promise<Finding> {
  say(fault)
  const before = residentMib(server)
  const meanwhile = await work()
  const during = residentMib(server)
  return {
    fault,
    meanwhile,
    memoryMib: `${before} → ${during}`,
    recovery: await recovered(),
  }
}
