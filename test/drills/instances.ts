import type { Closing } from '../support/closing.ts'
import { production, type Serving, serve } from '../support/signet.ts'

export interface Place {
  /** A folder for the processes to be started in. */
  readonly folder: string
  readonly closing: Closing
}

/** Instances of one installation, as `signet serve` starts them. */
export function startInstances(
  { folder, closing }: Place,
  databaseUrl: string,
  environments: readonly Readonly<Record<string, string>>[],
): Promise<Serving[]> {
  const started = environments.map((environment) => {
    const env = {
      ...production(databaseUrl),
      ...{ REDIS_URL: 'none', ARGON2_MEMORY_KIB: '8192', ARGON2_TIME_COST: '1' },
      ...environment,
    }
    return serve(closing.test, { cwd: folder, env })
  })
  return Promise.all(started)
}
