import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { debianProgram } from '../../tools/debian-program.ts'
import { emptyFolder } from '../support/server/signet.ts'

/** Runs promtool in a folder with these files, each as text or as a value for JSON, which is YAML too. */
export async function promtool(
  t: ExecutionContext<unknown>,
  files: Readonly<Record<string, string | object>>,
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly said: string }> {
  const cwd = await emptyFolder(t)
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await writeFile(join(cwd, name), text)
  }
  const child = spawn(debianProgram('promtool'), args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const [status] = await once(child, 'close')
  return { status, said }
}
