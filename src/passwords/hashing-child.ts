import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import type { ChildMessage, Job, JobRequest, Result } from './hashing-process.ts'

/**
 * The program of the process that checks passwords (ADR 21). It opens no file and no connection, knows
 * no secret but the password and the hash of its job, and its output is discarded.
 */

/** A tenth of the server's weight: tokens come first, and sign-ins continue under any other load. */
const priorityBelow = 10
const lowestPriority = 19

// On Windows this would change the title of the operator's window.
if (process.platform !== 'win32') process.title = 'signet-passwords'

// A terminal and systemd signal all processes, but running sign-ins are still to be answered.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

// Ends with its server, however that ended.
process.on('disconnect', () => process.exit())

// The message of an error may quote the parsed text; its name does not.
process.on('uncaughtException', ({ name }) => void end(name))

// No password was read yet, so this message is safe to report: it names the missing module.
const { hashingHere } = await import('./hashing.ts').catch((error: Error) => end(error.message))
const priorityRefused = lowerPriority()
process.on('message', ({ id, job }: JobRequest) => {
  perform(job).then(
    (result) => notify({ kind: 'done', id, result }),
    (error: Error) => notify({ kind: 'failed', id, reason: reasonOf(error) }),
  )
})
notify({ kind: 'ready', ...(priorityRefused !== undefined && { priorityRefused }) })

async function perform(job: Job): Promise<Result> {
  if (job.kind === 'verify') return hashingHere.verify(job.passwordHash, job.password, job.own)
  if (job.kind === 'hash') return hashingHere.hash(job.password, job.cost)
  return (await hashingHere.whyGuessable(job.password, job.personal)) ?? null
}

/** @returns the system's reason for refusing it */
function lowerPriority(): string | undefined {
  const priority = Math.min(lowestPriority, getPriority() + priorityBelow)
  return [0, ...threads()]
    .map((thread) => refusalOf(thread, priority))
    .find((reason) => reason !== undefined)
}

function refusalOf(thread: number, priority: number): string | undefined {
  try {
    setPriority(thread, priority)
    return undefined
  } catch (error) {
    const { code } = (error as { readonly info: { readonly code: string } }).info
    // A thread that has ended meanwhile needs no priority.
    return code === 'ESRCH' ? undefined : code
  }
}

/**
 * On Linux a priority belongs to a thread. Those of the pool, which do the work, started when the first
 * module was read. Elsewhere the priority belongs to the process.
 */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number)
  } catch {
    return []
  }
}

/** Passes on the one message that an operator has to know; every other may quote a secret. */
function reasonOf({ name, message }: Error): string {
  return message === 'Memory allocation error' ? message : name
}

function notify(message: ChildMessage, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, then)
  else then()
}

/** Never resolves: the process ends first. */
function end(reason: string): Promise<never> {
  return new Promise(() => notify({ kind: 'not ready', reason }, () => process.exit(1)))
}
