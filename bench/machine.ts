import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import type { LoadGenerator } from './load-generator.ts'
import type { Stage } from './stage.ts'

/** The machine of a measurement. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGib: number
  readonly system: string
  readonly node: string
  readonly openssl: string
  readonly postgres: string
  /** The load generator, which takes its part of the cores. */
  readonly load: string
  /** Processes that wanted a core before anything was measured. */
  readonly loadBefore: number
  readonly at: string
}

export const describeMachine = ({ postgres }: Stage, generator: LoadGenerator): Machine => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGib: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release()}`,
  node: process.version,
  openssl: process.versions.openssl,
  postgres: `${postgres.version} (${postgres.settings})`,
  load: `${generator.name} ${generator.version()}`,
  loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  at: new Date().toISOString().slice(0, 10),
})

export const machineLine = (machine: Machine): string =>
  `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGib} GiB, ${machine.system}, ` +
  `Node.js ${machine.node} (OpenSSL ${machine.openssl}), PostgreSQL ${machine.postgres}; ` +
  `load by ${machine.load}; load of the machine before: ${machine.loadBefore}; ${machine.at}`
