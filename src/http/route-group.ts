import Router from '@koa/router'
import type { Metrics } from '../telemetry/metrics.ts'
import { ignoreAbandoned, type StallWatch } from './abandoned.ts'
import type { Middleware, RequestState } from './context.ts'
import { type ErrorFormat, errorBoundary } from './error-boundary.ts'
import { type Fields, setFields } from './response-headers.ts'

/** The common behavior of the routes of one kind. Nothing here depends on the path (D16). */
interface GroupPolicy {
  /** On every answer, unless a handler sets another value: security and caching. */
  readonly fields: Fields
  readonly crossOrigin: Middleware
  readonly errors: ErrorFormat
}

interface Dependencies {
  readonly metrics: Metrics
  readonly stalls: StallWatch
}

/** Routes with one policy, and a router of their own: a hot route is not searched behind forty others. */
export interface RouteGroup {
  readonly router: Router<RequestState>
  readonly middleware: Middleware
}

export function routeGroup(
  { fields, crossOrigin, errors }: GroupPolicy,
  { metrics, stalls }: Dependencies,
): RouteGroup {
  const router = new Router<RequestState>({ sensitive: true, strict: true })
  const middleware = inOrder([
    setFields(fields),
    crossOrigin,
    errorBoundary({ metrics, errors }),
    ignoreAbandoned(stalls),
    router.routes() as Middleware,
    router.allowedMethods() as Middleware,
  ])
  return { router, middleware }
}

const inOrder =
  (steps: readonly Middleware[]): Middleware =>
  (ctx, next) => {
    const run = (index: number): Promise<unknown> => {
      const step = steps[index]
      return step ? step(ctx, () => run(index + 1)) : next()
    }
    return run(0)
  }

/** A group, and where a path belongs to it although no route has it. */
interface MountedGroup {
  readonly group: RouteGroup
  /** Every path that begins so. */
  readonly below?: string
}

/** Hands each request to the group of its path; `otherwise` has the paths that belong to none. */
export function byGroup(mounted: readonly MountedGroup[], otherwise: RouteGroup): Middleware {
  const exact = new Map(
    [...mounted.map(({ group }) => group), otherwise].flatMap((group) =>
      group.router.stack.map(({ path }) => [String(path), group] as const),
    ),
  )
  const groupOf = (path: string) =>
    exact.get(path) ??
    mounted.find(({ below }) => below !== undefined && path.startsWith(below))?.group ??
    otherwise
  return (ctx, next) => groupOf(ctx.path).middleware(ctx, next)
}
