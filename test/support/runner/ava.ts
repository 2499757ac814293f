import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from '../../../tools/root.ts'
import { type Tally, tally } from './tally.ts'

const entry = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')

/**
 * ava gets a process group of its own: Ctrl-C reaches it once, from here, and whatever a test has
 * left running goes with the group.
 */
export async function runAva(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  interruption: AbortSignal,
): Promise<Tally> {
  const child = spawn(process.execPath, [entry, ...args], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const group = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? 0), signal)
    } catch {
      // The group is empty.
    }
  }
  const stop = () => {
    child.kill('SIGINT')
    setTimeout(() => group('SIGKILL'), 10_000).unref()
  }
  interruption.addEventListener('abort', stop, { once: true })
  let report = ''
  child.stdout.on('data', (chunk) => {
    report += chunk
    process.stdout.write(chunk)
  })
  const closed = once(child, 'close')
  const [code] = await once(child, 'exit')
  group('SIGKILL')
  await closed
  return tally(report, interruption.aborted ? 1 : (code ?? 1))
}
