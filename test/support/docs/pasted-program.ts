import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../../tools/eventually.ts'
import { root } from '../../../tools/root.ts'

interface Pasted {
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the service of a document in a separate process, and returns a client for it. */
export async function startPasted(
  t: ExecutionContext,
  code: string,
  issuer: string,
  given: Pasted = {},
) {
  const port = given.port ?? (await freePort())
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    env: { PATH, ISSUER: issuer, AUDIENCE: issuer, PORT: String(port), ...given.env },
    stdio: 'inherit',
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  const answers = () =>
    fetch(url).then(
      () => true,
      () => child.exitCode !== null,
    )
  await eventually(answers, 'the pasted service answers')
  return (path: string, token?: string): Promise<Response> => {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    return fetch(url + path, { headers })
  }
}
