import type { User } from './user.ts'

/** Every claim about people: OpenID Connect Core §5.1. */
const claims: Readonly<Record<string, (user: User) => unknown>> = {
  name: (user) => user.fullName,
  preferred_username: (user) => user.username,
  locale: (user) => user.locale,
  email: (user) => user.email,
  email_verified: (user) => (user.email === null ? null : user.emailVerifiedAt !== null),
}

/** The claims that each scope opens: OpenID Connect Core §5.4. */
export const claimsOfScope: Readonly<Record<string, readonly string[]>> = {
  profile: ['name', 'preferred_username', 'locale'],
  email: ['email', 'email_verified'],
}

export const claimNames: readonly string[] = Object.keys(claims)

/** The named claims of a person; those that are unknown or empty are left out. */
export function personClaims(user: User, names: Iterable<string>): Record<string, unknown> {
  const found = [...new Set(names)].flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name]?.(user) : undefined
    return value === null || value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(found)
}

/**
 * The claims that a scope opens or a request names. A request may name only what the scope of its client
 * covers, so that no client reads an address by the `claims` parameter alone.
 */
export const permittedClaims = (
  scope: readonly string[],
  allowedScopes: readonly string[],
  named: readonly string[],
): string[] => {
  const open = scope.flatMap((one) => claimsOfScope[one] ?? [])
  const allowed = new Set(allowedScopes.flatMap((one) => claimsOfScope[one] ?? []))
  return [...open, ...named.filter((name) => allowed.has(name))]
}
