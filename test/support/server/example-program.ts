import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../../tools/eventually.ts'
import { root } from '../../../tools/root.ts'

interface Program {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts an example in a separate process. */
export async function startProgram(
  t: ExecutionContext<unknown>,
  file: string,
  { cwd = root, env }: Program = {},
) {
  const port = Number(env?.PORT ?? (await freePort()))
  const url = `http://127.0.0.1:${port}`
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [join(root, 'examples', file)], {
    cwd,
    env: { PATH, PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await eventually(() => said.includes('"ready"') || child.exitCode !== null, 'it is ready')
  if (child.exitCode !== null) throw new Error(said)
  const stop = () => {
    child.kill('SIGTERM')
    return exited
  }
  return { url, stop, said: () => said }
}
