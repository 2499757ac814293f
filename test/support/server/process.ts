import { readFile } from 'node:fs/promises'

/** True when a process has ended, even if its parent has not noticed yet. */
export async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat === undefined || /^[XZ]/.test(stat.split(') ').pop() ?? '')
}
