import type { Middleware } from './context.ts'

/** Which errors a caller reads: RFC 6749 §5.2, or RFC 9457. */
type ErrorFormat = 'oauth' | 'problem'

/** Whose scripts may read the answers: everybody's, or those of CORS_ORIGINS, with cookies or without. */
type Scripts = 'everyone' | 'listed' | 'listed-with-cookies'

/** What the routes of one kind have in common. Nothing of it is decided by looking at the path. */
export interface RouteGroup {
  readonly errors: ErrorFormat
  readonly scripts: Scripts
}

export const oauth: RouteGroup = { errors: 'oauth', scripts: 'listed' }
export const publicDocuments: RouteGroup = { errors: 'oauth', scripts: 'everyone' }
export const jsonApi: RouteGroup = { errors: 'problem', scripts: 'listed-with-cookies' }

/** Which group a path belongs to, also where nothing is mounted at it. */
export class RouteGroups {
  readonly #exact = new Map<string, RouteGroup>()
  readonly #below: [prefix: string, group: RouteGroup][] = []

  at(path: string, group: RouteGroup): void {
    this.#exact.set(path, group)
  }

  below(prefix: string, group: RouteGroup): void {
    this.#below.push([prefix, group])
  }

  of(path: string): RouteGroup {
    const exact = this.#exact.get(path)
    if (exact) return exact
    const [, group] = this.#below.find(([prefix]) => path.startsWith(prefix)) ?? []
    return group ?? oauth
  }

  /** For the doors behind. */
  readonly middleware: Middleware = (ctx, next) => {
    ctx.state.group = this.of(ctx.path)
    return next()
  }
}
