import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'

/** What this process may use, which in a container is less than what the machine has. */
export interface Allowance {
  /** Cores, perhaps a fraction of one. */
  readonly cores: number
  readonly memoryBytes: number
  /** Where each comes from. */
  readonly coresFrom: 'machine' | 'cgroup'
  readonly memoryFrom: 'machine' | 'cgroup'
}

/** Reads one file; undefined when there is none. For tests another tree than that of this machine. */
type Read = (path: string) => string | undefined

const readHere: Read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Version 2 has one tree, version 1 one for each controller; a container may see either. */
export function readAllowance(
  read: Read = readHere,
  machine = { cores: availableParallelism(), memoryBytes: totalmem() },
): Allowance {
  const folders = foldersOf(read('/proc/self/cgroup') ?? '')
  const quotas = folders.flatMap((folder) => quotaOf(folder, read))
  const memories = folders.flatMap((folder) => memoryOf(folder, read))
  const cores = Math.min(machine.cores, ...quotas)
  const memoryBytes = Math.min(machine.memoryBytes, ...memories)
  return {
    ...{ cores, memoryBytes },
    coresFrom: cores < machine.cores ? 'cgroup' : 'machine',
    memoryFrom: memoryBytes < machine.memoryBytes ? 'cgroup' : 'machine',
  }
}

/** Where the limits of this process may stand: its own group and all above it, as each of them binds. */
function foldersOf(groups: string): string[] {
  const roots = groups
    .split('\n')
    .map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line))
    .filter((found) => found !== null)
    .flatMap(([, controllers = '', path = '/']) => {
      const names = controllers.split(',').filter((name) => /^(cpu|memory)$/.test(name))
      if (controllers === '') return ancestors('/sys/fs/cgroup', path)
      return names.flatMap((name) => ancestors(join('/sys/fs/cgroup', name), path))
    })
  return [...new Set(roots)]
}

function ancestors(root: string, path: string): string[] {
  const parts = path.split('/').filter(Boolean)
  // In a container the path may be that of the host, which is not there: the root is always looked at.
  return [...parts.keys(), parts.length].map((count) => join(root, ...parts.slice(0, count)))
}

function quotaOf(folder: string, read: Read): number[] {
  const [quota = '', period = ''] = (read(join(folder, 'cpu.max')) ?? '').trim().split(' ')
  const v1 = (name: string) => read(join(folder, `cpu.cfs_${name}_us`))?.trim()
  return ratio(quota, period) ?? ratio(v1('quota') ?? '', v1('period') ?? '') ?? []
}

/** No limit is `max` in version 2 and −1 in version 1. */
function ratio(quota: string, period: string): number[] | undefined {
  const cores = Number(quota) / Number(period)
  return quota !== '' && cores > 0 && Number.isFinite(cores) ? [cores] : undefined
}

/** No limit is `max` in version 2 and a number beyond every machine in version 1. */
function memoryOf(folder: string, read: Read): number[] {
  return ['memory.max', 'memory.high', 'memory.limit_in_bytes']
    .map((name) => Number(read(join(folder, name))?.trim() || Number.NaN))
    .filter((bytes) => bytes > 0 && Number.isFinite(bytes))
}
