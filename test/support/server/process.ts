import { readFile } from 'node:fs/promises'

/** Whether a process has ended. Its parent, or who takes that place, may not have noticed yet. */
export async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat === undefined || /^[XZ]/.test(stat.split(') ').pop() ?? '')
}
