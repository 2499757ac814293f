import { OAuthError } from './error.ts'
import type { Params } from './params.ts'

/**
 * Chooses the audience of a token among the allowed ones by `resource` (RFC 8707 §2, an absolute URI
 * without a fragment) and `audience` (RFC 8693 §2.1, any name); without them it is the first. Several
 * may be chosen (RFC 9068 §3), none can be added.
 */
export function chooseAudience(
  params: Params,
  allowed: readonly string[],
  otherwise: readonly string[] = allowed.slice(0, 1),
): string[] {
  const resources = params.all('resource')
  if (!resources.every(isResource)) {
    throw new OAuthError('invalid_target', 'a resource is not an absolute URI without a fragment')
  }
  const requested = [...new Set([...resources, ...params.all('audience')])]
  if (requested.length === 0) return [...otherwise]
  if (!requested.every((audience) => allowed.includes(audience))) {
    throw new OAuthError('invalid_target', 'the requested resource is not available to this client')
  }
  return requested
}

export const isResource = (text: string): boolean =>
  !text.includes('#') && /^[a-z][a-z0-9+.-]*:\S+$/i.test(text) && URL.canParse(text)
