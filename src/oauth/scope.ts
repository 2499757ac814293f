import { OAuthError } from './error.ts'

/** scope-token of RFC 6749 §3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

export const offlineAccess = 'offline_access'

/** OpenID Connect Core §3.1.2.1. */
export const openId = 'openid'

/** Splits a `scope` parameter; duplicates are removed, the order stays. */
function parseScope(scope: string): string[] {
  const tokens = scope.split(' ').filter((token) => token !== '')
  if (!tokens.every((token) => scopeToken.test(token))) throw malformed()
  return [...new Set(tokens)]
}

export const isScopeToken = (text: string): boolean => scopeToken.test(text)

/**
 * RFC 6749 §3.3 and §6: a requested scope narrows the allowed one and never widens it. Without a request
 * it is all of `otherwise`. One scope too many refuses the whole request, so that no app is surprised by
 * getting less than it requested.
 */
export function narrowScope(
  requested: string | undefined,
  allowed: readonly string[],
  otherwise: readonly string[] = allowed,
): string[] {
  if (requested === undefined) return [...otherwise]
  const tokens = parseScope(requested)
  if (tokens.length === 0) throw malformed()
  if (!tokens.every((token) => allowed.includes(token))) {
    throw new OAuthError(
      'invalid_scope',
      'the requested scope exceeds the scope that can be granted',
    )
  }
  return tokens
}

const malformed = () =>
  new OAuthError(
    'invalid_scope',
    'the scope is not a list of scope tokens separated by single spaces',
  )
