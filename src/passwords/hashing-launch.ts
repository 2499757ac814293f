import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const builtChild = fileURLToPath(
  new URL(`hashing-child${import.meta.url.slice(-3)}`, import.meta.url),
)

/** All that it gets of the environment: how to find and run a program. No secret is among them. */
const inherited = ['PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD', 'GLIBC_TUNABLES', 'OPENSSL_CONF']

const mebibyte = 2 ** 20

/**
 * argon2id jumps about in 19 MiB, which takes 6 % less time in pages of 2 MiB than in those of 4 KiB.
 * glibc asks the kernel for huge ones only where all threads share one heap, and keeps what the next
 * check needs again. Another libc does not know these words, and an operator may set others.
 */
const hugePages = Object.entries({
  hugetlb: 1,
  arena_max: 1,
  mmap_threshold: 32 * mebibyte,
  trim_threshold: 256 * mebibyte,
})
  .map(([name, value]) => `glibc.malloc.${name}=${value}`)
  .join(':')

export interface LaunchOptions {
  /** How many jobs run at once, each on a thread. */
  readonly concurrency: number
  /** Another program, for a test. */
  readonly program?: string
}

export function launch({ concurrency, program = builtChild }: LaunchOptions): ChildProcess {
  const given = inherited.map((name) => [name, process.env[name]])
  const env = Object.fromEntries(given.filter(([, value]) => value !== undefined))
  return fork(program, {
    env: { GLIBC_TUNABLES: hugePages, ...env, UV_THREADPOOL_SIZE: String(concurrency) },
    // A debugger or a profile of the server is not one of passwords; tsx is what runs TypeScript.
    execArgv: program.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [],
    // A process that crashes may print what it had in hand.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}

export const nameOf = ({ name, code }: NodeJS.ErrnoException): string => code ?? name

/** What an operator should do about a death. */
export function advice(why: string): string {
  if (why === 'SIGKILL')
    return 'somebody killed it, or the memory was short; another one takes over'
  return 'another one takes over; if that dies too, see docs/operations.md'
}
