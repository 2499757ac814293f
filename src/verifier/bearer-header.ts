/** What Node's requests have, of HTTP/1 and 2; the frameworks' own are made of them. */
export interface BearerRequest {
  readonly headers: { readonly authorization?: string | undefined }
  readonly rawHeaders?: readonly string[]
}

/** What a request presents. */
export type Presented =
  | { readonly kind: 'token'; readonly token: string }
  /** Nothing, or credentials of another scheme. */
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }

/**
 * RFC 6750 §2.1, and only that: a token in a query lands in logs (§5.3), one in a body can be sent by
 * a form of a stranger's page.
 */
export function readBearer({ headers, rawHeaders = [] }: BearerRequest): Presented {
  // Of two headers Node drops one, and a proxy on the way perhaps the other (§2: one method only).
  const names = rawHeaders.filter((name, i) => i % 2 === 0 && /^authorization$/i.test(name))
  if (names.length > 1) return { kind: 'malformed' }
  const { authorization } = headers
  if (authorization === undefined) return { kind: 'none' }
  const [scheme = ''] = /^[!#$%&'*+.^`|~\w-]+/.exec(authorization) ?? []
  if (scheme === '') return { kind: 'malformed' }
  if (scheme.toLowerCase() !== 'bearer') return { kind: 'none' }
  const [, token] = /^ +([\w.~+/-]+=*) *$/.exec(authorization.slice(scheme.length)) ?? []
  return token === undefined ? { kind: 'malformed' } : { kind: 'token', token }
}
