import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second, whatever the kernel was built with. */
const microsecondsPerTick = 10_000

/**
 * Microseconds of a core that a process and all below it have used, those that have ended included.
 * Undefined where there is no /proc.
 */
export function cpuTimeOf(pid: number | undefined): number | undefined {
  const processes = readProcesses()
  const root = pid === undefined ? undefined : processes.get(pid)
  if (!root) return undefined
  let ticks = root.ended
  const family = new Set([pid])
  // Children have greater numbers nearly always; a few passes find the others.
  for (let found = 0; found < family.size; ) {
    found = family.size
    for (const [id, { parent }] of processes) if (family.has(parent)) family.add(id)
  }
  for (const id of family) ticks += processes.get(id as number)?.own ?? 0
  return ticks * microsecondsPerTick
}

/** Kilobytes of memory that a process has in RAM. */
export function residentKilobytes(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes)
  } catch {
    return undefined
  }
}

function readProcesses() {
  const processes = new Map<number, { parent: number; own: number; ended: number }>()
  for (const name of list('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      // The name of the program may hold anything: what is wanted follows its closing parenthesis.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').pop()?.split(' ') ?? []
      const [parent = 0] = [Number(fields[1])]
      const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields
        .slice(11, 15)
        .map(Number)
      processes.set(Number(name), { parent, own: user + system, ended: endedUser + endedSystem })
    } catch {
      // It has ended meanwhile.
    }
  }
  return processes
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
