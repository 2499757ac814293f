import { within } from '../clock.ts'
import type { Middleware } from '../http/context.ts'

/** Resolves to `undefined` when all is well, otherwise to a description of the problem. */
export type HealthCheck = () => Promise<string | undefined>

/** A check that takes longer has failed. */
const checkSeconds = 2

/** The process runs. Stores are not checked: a restart would not bring the database back. */
export const live: Middleware = (ctx) => {
  ctx.set('cache-control', 'no-store')
  ctx.body = { status: 'ok' }
}

/**
 * Readiness: 200 while this instance should get traffic, otherwise 503.
 * @param detail every check by name for operators, or the status alone for strangers
 */
export function ready(
  checks: Readonly<Record<string, HealthCheck>>,
  detail: 'all' | 'status' = 'all',
): Middleware {
  return async (ctx) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const),
    )
    const ok = results.every(([, result]) => result === 'ok' || result.startsWith('ok,'))
    ctx.status = ok ? 200 : 503
    ctx.set('cache-control', 'no-store')
    const status = ok ? 'ok' : 'unavailable'
    ctx.body = detail === 'status' ? { status } : { status, checks: Object.fromEntries(results) }
  }
}

async function outcome(check: HealthCheck): Promise<string> {
  try {
    return (await within(checkSeconds, check(), 'no answer in time')) ?? 'ok'
  } catch {
    return 'fails'
  }
}
