import { OAuthError } from './error.ts'
import type { Params } from './params.ts'

/**
 * Which of the allowed audiences a token is for: `resource` (RFC 8707 §2, an absolute URI without a
 * fragment) and `audience` (RFC 8693 §2.1, any name) choose among them; nothing asked means the
 * first. Several may be chosen (RFC 9068 §3), none can be added.
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
  const asked = [...new Set([...resources, ...params.all('audience')])]
  if (asked.length === 0) return [...otherwise]
  if (!asked.every((audience) => allowed.includes(audience))) {
    throw new OAuthError('invalid_target', 'a token for this resource cannot be had here')
  }
  return asked
}

export const isResource = (text: string): boolean =>
  !text.includes('#') && /^[a-z][a-z0-9+.-]*:\S+$/i.test(text) && URL.canParse(text)
