import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, startChild } from './child.ts'
import type { Contestant, Pace, Work } from './contest.ts'
import type { LoadGenerator } from './load-generator.ts'
import { type Installation, install, type Server, serve, thisBuild } from './signet.ts'
import type { Stage } from './stage.ts'

export interface SetupOptions {
  readonly pace: Pace
  /** `main.cjs` of another build. */
  readonly against: string | undefined
  /** The folder for CPU profiles of this server. */
  readonly profile: string | undefined
  readonly generator: LoadGenerator
}

/** The load generator and the servers that every benchmark measures. */
export interface Setup {
  readonly stage: Stage
  readonly pace: Pace
  readonly generator: Child
  /** This build, and another one when `--against` names it. */
  readonly builds: readonly Build[]
}

export interface Build extends Pick<Contestant, 'name' | 'role'> {
  readonly installation: Installation
  readonly server: Server
}

export type OpenWork = (setup: Setup) => Promise<Work>

const people = 1000

export async function openSetup(
  stage: Stage,
  { pace, against, profile, generator: { name } }: SetupOptions,
): Promise<Setup> {
  const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
  const generator = startBench(`generator-${name}.mjs`)
  stage.onClose(generator.close)
  const builds: Build[] = [
    await open(stage, { database: 'signet', program: thisBuild, ...own, nodeArguments: profiling }),
  ]
  if (against) builds.push(await open(stage, { database: 'other', program: against, ...other }))
  return { stage, pace, generator, builds }
}

const own = { name: 'this server', role: 'signet' } as const
const other = { name: 'the other build', role: 'peer' } as const

async function open(
  stage: Stage,
  {
    database,
    name,
    role,
    program,
    nodeArguments = [],
  }: Pick<Build, 'name' | 'role'> & {
    readonly database: string
    readonly program: string
    readonly nodeArguments?: readonly string[]
  },
): Promise<Build> {
  stage.say(`Starting ${name}`)
  const installation = await install(stage, { name: database, program, people })
  const server = await serve(stage, installation, { nodeArguments })
  return { name, role, installation, server }
}

/** As src/main.cts sets it, so that limits and peers have the threads that the server has. */
export const threads = { UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism() + 2)) }

/** A program of this folder in a process of its own. */
export const startBench = (file: string, env: Readonly<Record<string, string>> = {}): Child =>
  startChild([join(fileURLToPath(new URL('.', import.meta.url)), file)], env)

export const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Whose CPU time is counted for a round: the server and the stores that it asks. */
export const processesOf = ({ stage }: Setup, server: { readonly pid: number }) => ({
  server: server.pid,
  postgres: stage.postgres.pid,
})
