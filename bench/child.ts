import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A process of the bench: the generator, a server, a limit. Whatever is left of it ends with the bench. */
export interface Child {
  readonly pid: number
  /** Sends a message and waits for the one that answers it; one at a time. */
  ask<T>(message: unknown): Promise<T>
  /** The last lines that it wrote, for when it fails. */
  said(): string
  readonly ended: () => boolean
  close(): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

type Environment = Readonly<Record<string, string>>

/** Only what is given is in its environment, so that the developer's own changes nothing. */
export function startChild(args: readonly string[], env: Environment, cwd?: string): Child {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env
  const child = spawn(process.execPath, args, {
    ...(cwd !== undefined && { cwd }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH, HOME, TMPDIR, NODE_ENV: 'production', ...env },
  })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output = (output + chunk).slice(-4000)
    })
  }
  const exit = once(child, 'exit').finally(() => running.delete(child))
  const ended = () => child.exitCode !== null || child.signalCode !== null
  const name = args.findLast((arg) => /\.m?js$/.test(arg))
  return {
    pid: child.pid ?? 0,
    said: () => output,
    ended,
    async ask<T>(message: unknown) {
      child.send(message as object)
      const answer = await Promise.race([
        once(child, 'message').then(([said]) => said as { result: T; error?: string }),
        exit.then(() => ({ error: `it has ended:\n${output}`, result: undefined as T })),
      ])
      if (answer.error) throw new Error(`${name}: ${answer.error}`)
      return answer.result
    },
    async close() {
      if (ended()) return
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exit
      clearTimeout(late)
    },
  }
}
