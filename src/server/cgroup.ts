import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'

/** The cores and the memory that this process may use; a container has less than its machine. */
export interface Allowance {
  /** May be a fraction. */
  readonly cores: number
  readonly memoryBytes: number
  /** The source of each number. */
  readonly coresFrom: 'machine' | 'cgroup'
  readonly memoryFrom: 'machine' | 'cgroup'
}

/** Reads one file; undefined when there is none. */
type Read = (path: string) => string | undefined

const readHere: Read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

export function readAllowance(): Allowance {
  const machine = { cores: availableParallelism(), memoryBytes: totalmem() }
  const cores = Math.min(machine.cores, cpuQuota())
  // Node returns 0 when it cannot tell, and a huge number without a limit.
  const memoryBytes = Math.min(machine.memoryBytes, process.constrainedMemory() || Infinity)
  return {
    cores,
    memoryBytes,
    coresFrom: cores < machine.cores ? 'cgroup' : 'machine',
    memoryFrom: memoryBytes < machine.memoryBytes ? 'cgroup' : 'machine',
  }
}

/**
 * The CPU quota of this process, in cores; Infinity without one. The libuv of Node 20 does not read it
 * for `availableParallelism`.
 */
export function cpuQuota(read: Read = readHere): number {
  const quotas = cpuGroups(read('/proc/self/cgroup') ?? '').map((folder) => {
    const file = (name: string) => (read(join(folder, name)) ?? '').trim()
    // Without a limit the quota is `max` in version 2 of cgroups, and −1 in version 1.
    const [quota, period] = file('cpu.max').split(' ')
    const cores = quota
      ? Number(quota) / Number(period)
      : Number(file('cpu.cfs_quota_us')) / Number(file('cpu.cfs_period_us'))
    return cores > 0 ? cores : Infinity
  })
  return Math.min(...quotas, Infinity)
}

/** The folders of this process's CPU group and of all groups above it, since each of them limits it. */
function cpuGroups(list: string): string[] {
  return list.split('\n').flatMap((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    const isVersion2 = line.startsWith('0::')
    if (!isVersion2 && !controllers.split(',').includes('cpu')) return []
    const root = isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpu'
    const parts = path.split('/').filter(Boolean)
    // Inside a container the path may be the host's and missing here, so the root is always read.
    return [...parts.keys(), parts.length].map((count) => join(root, ...parts.slice(0, count)))
  })
}
