import { within } from '../clock.ts'
import type { Middleware } from '../http/context.ts'

/** Answers `undefined` when all is well, else what is wrong. */
export type HealthCheck = () => Promise<string | undefined>

/** Longer than this is an answer too: a check that hangs is a check that failed. */
const checkSeconds = 2

/** The process runs and its event loop turns. Nothing else: restarting it would not bring the database back. */
export const live: Middleware = (ctx) => {
  ctx.set('cache-control', 'no-store')
  ctx.body = { status: 'ok' }
}

/**
 * Whether this instance should get traffic; for those who run it with each thing that it needs by name,
 * for strangers the status alone.
 */
export function ready(
  checks: Readonly<Record<string, HealthCheck>>,
  told: 'all' | 'status' = 'all',
): Middleware {
  return async (ctx) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const),
    )
    const ok = results.every(([, result]) => result === 'ok' || result.startsWith('ok,'))
    ctx.status = ok ? 200 : 503
    ctx.set('cache-control', 'no-store')
    const status = ok ? 'ok' : 'unavailable'
    ctx.body = told === 'status' ? { status } : { status, checks: Object.fromEntries(results) }
  }
}

async function outcome(check: HealthCheck): Promise<string> {
  try {
    return (await within(checkSeconds, check(), 'no answer in time')) ?? 'ok'
  } catch {
    return 'fails'
  }
}
