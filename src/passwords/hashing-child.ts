import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import type { Asked, Job, Result, Said } from './hashing-messages.ts'

/**
 * The program of the process that checks passwords (ADR 21). It opens nothing and knows no secret but
 * the password and the hash that it is asked about; what it writes anywhere is read by nobody.
 */

/** A tenth of the weight of the server: tokens come first, and no other load ends all sign-ins. */
const priorityBelow = 10
const lowestPriority = 19

// On Windows it would be the title of the operator's window.
if (process.platform !== 'win32') process.title = 'signet-passwords'

// A terminal and systemd send them to all: the sign-ins under way are still to be answered.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

// Without its server, however that ended, it is of no use.
process.on('disconnect', () => process.exit())

// The message of an error may quote what was parsed. Its name does not.
process.on('uncaughtException', ({ name }) => void end(name))

// No password was read yet, so that this message may be told whole: it names what is missing.
const { hashingHere } = await import('./hashing.ts').catch((error: Error) => end(error.message))
const priorityRefused = stepBack()
process.on('message', ({ id, job }: Asked) => {
  perform(job).then(
    (result) => tell({ said: 'done', id, result }),
    (error: Error) => tell({ said: 'failed', id, reason: reasonOf(error) }),
  )
})
tell({ said: 'ready', ...(priorityRefused !== undefined && { priorityRefused }) })

async function perform(job: Job): Promise<Result> {
  if (job.kind === 'verify') return hashingHere.verify(job.passwordHash, job.password, job.own)
  if (job.kind === 'hash') return hashingHere.hash(job.password, job.cost)
  return (await hashingHere.whyGuessable(job.password, job.personal)) ?? null
}

/** @returns why the system does not let it */
function stepBack(): string | undefined {
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
    // One that has ended meanwhile needs no priority.
    return code === 'ESRCH' ? undefined : code
  }
}

/**
 * On Linux a priority is that of one thread: those of the pool, which do the work, were begun when the
 * first module was read. Elsewhere it is that of the process.
 */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number)
  } catch {
    return []
  }
}

/** The only words that are let through are ones that say what an operator has to know. */
function reasonOf({ name, message }: Error): string {
  return message === 'Memory allocation error' ? message : name
}

function tell(said: Said, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(said, undefined, undefined, then)
  else then()
}

/** What waits for this waits for the end of the process. */
function end(reason: string): Promise<never> {
  return new Promise(() => tell({ said: 'not ready', reason }, () => process.exit(1)))
}
