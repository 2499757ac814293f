import { Janitor } from '../janitor/janitor.ts'
import { cleanupTasks } from './cleanup-tasks.ts'
import { createPeopleServices } from './people-services.ts'
import type { Runtime } from './runtime.ts'
import { createTokenServices } from './token-services.ts'

export type { Runtime } from './runtime.ts'

export type Services = Awaited<ReturnType<typeof createServices>>

/** Builds every room once, from the ground up. Routes are mounted on them by routes.ts, commands by cli/. */
export async function createServices(runtime: Runtime) {
  const tokens = await createTokenServices(runtime)
  const people = await createPeopleServices(runtime, tokens)
  const tasks = cleanupTasks(runtime, { ...tokens, ...people })
  const janitor = new Janitor({ db: runtime.db, now: runtime.now, tasks })
  return { ...tokens, ...people, janitor }
}
