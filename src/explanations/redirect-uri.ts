import { isRegistered, redirectUriProblem } from '../oauth/redirect-uri.ts'
import { type Check, failed, passed, quoted } from './explanation.ts'

/** The redirect URI of a request, compared as the server compares it: RFC 9700 §4.1.3. */
export function redirectCheck(uri: string, registered: readonly string[]): Check {
  if (isRegistered(uri, registered)) return passed('redirect_uri', 'registered')
  const problem = redirectUriProblem(uri)
  const hint = problem === undefined ? '' : `; it could not be registered: it ${problem}`
  return failed('redirect_uri', redirectDifference(uri, registered) + hint)
}

/** Where a URI begins to differ from the known one that is most like it. */
export function redirectDifference(uri: string, known: readonly string[]): string {
  const [nearest] = [...known].sort((a, b) => commonLength(uri, b) - commonLength(uri, a))
  if (nearest === undefined) return 'no redirect URI is registered'
  const at = commonLength(uri, nearest)
  const given = at < uri.length ? quoted(uri.slice(at, at + 20)) : 'the end'
  const wanted = at < nearest.length ? quoted(nearest.slice(at, at + 20)) : 'the end'
  return `it differs at character ${at + 1}: ${given} instead of ${wanted} in ${quoted(nearest, 200)}`
}

function commonLength(one: string, other: string): number {
  const most = Math.min(one.length, other.length)
  for (let at = 0; at < most; at += 1) if (one[at] !== other[at]) return at
  return most
}
