import type Router from '@koa/router'
import type { RequestState } from './context.ts'

type Match = ReturnType<Router<RequestState>['match']>

/**
 * The router tries every route in turn, which takes longer than all else that happens before a handler.
 * What it finds for a path without parameters is the same each time, and is looked up from then on.
 */
export function foundByPath(router: Router<RequestState>): Router<RequestState> {
  const search = router.match.bind(router)
  const found = new Map<string, Match>()
  // Only paths of ours, or strangers could fill the memory with names.
  let fixed: ReadonlySet<unknown> | undefined
  router.match = (path, method) => {
    const key = `${method} ${path}`
    const known = found.get(key)
    if (known) return copyOf(known)
    const match = search(path, method)
    fixed ??= new Set(router.stack.map((layer) => layer.path))
    if (match.route && fixed.has(path)) found.set(key, copyOf(match))
    return match
  }
  return router
}

/** The router may add to the lists that it is given. */
const copyOf = ({ path, pathAndMethod, route }: Match): Match => ({
  ...{ path: [...path], pathAndMethod: [...pathAndMethod], route },
})
