import { production } from '../../tools/fixtures.ts'
import type { Closing } from '../support/server/closing.ts'
import { program, type Serving, serve } from '../support/server/signet.ts'

export interface Place {
  /** A folder for the processes to be started in. */
  readonly folder: string
  readonly closing: Closing
}

export const environmentOf = (databaseUrl: string): Readonly<Record<string, string>> => ({
  ...production(databaseUrl),
  REDIS_URL: 'none',
  ARGON2_MEMORY_KIB: '8192',
  ARGON2_TIME_COST: '1',
  DATABASE_TIMEOUT_SECONDS: '3',
})

/** Instances of one installation, as `signet serve` starts them. */
export function startInstances(
  { folder, closing }: Place,
  databaseUrl: string,
  environments: readonly Readonly<Record<string, string>>[],
  main = program,
): Promise<Serving[]> {
  const started = environments.map((environment) => {
    const env = { ...environmentOf(databaseUrl), ...environment }
    return serve(closing.test, { cwd: folder, env, program: main })
  })
  return Promise.all(started)
}
