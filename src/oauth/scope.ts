import { OAuthError } from './error.ts'

/** scope-token of RFC 6749 §3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

export const offlineAccess = 'offline_access'

/** Splits a `scope` parameter; each token once, in the order given. */
function parseScope(scope: string): string[] {
  const tokens = scope.split(' ').filter((token) => token !== '')
  if (!tokens.every((token) => scopeToken.test(token))) throw malformed()
  return [...new Set(tokens)]
}

export const isScopeToken = (text: string): boolean => scopeToken.test(text)

/**
 * RFC 6749 §3.3 and §6: a scope narrows what may be had and never widens it. Nothing asked means
 * all of `otherwise`; one token too many refuses the whole request, so that no app runs by surprise
 * with less than it asked for.
 */
export function narrowScope(
  asked: string | undefined,
  allowed: readonly string[],
  otherwise: readonly string[] = allowed,
): string[] {
  if (asked === undefined) return [...otherwise]
  const tokens = parseScope(asked)
  if (tokens.length === 0) throw malformed()
  if (!tokens.every((token) => allowed.includes(token))) {
    throw new OAuthError('invalid_scope', 'the scope asks for more than can be granted')
  }
  return tokens
}

const malformed = () =>
  new OAuthError('invalid_scope', 'the scope is not a list of scope tokens parted by single spaces')
