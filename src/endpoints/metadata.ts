import { authenticationMethods } from '../clients/client-settings.ts'
import { assertionAlgorithms } from '../clients/public-keys.ts'
import type { Grant } from '../grants/grant.ts'
import { cachedDocument, type ReadDocument } from '../http/cached-documents.ts'

interface Dependencies {
  readonly issuer: string
  readonly grants: readonly Grant[]
}

const maxAgeSeconds = 300

/** The feed serves no older list while its database answers: it reads twice a second and signs again every 5 s. */
const feedStalenessSeconds = 10

/** RFC 8414. Created once, because it depends on no request. */
export function metadata({ issuer, grants }: Dependencies): ReadDocument {
  const confidential = authenticationMethods.filter((method) => method !== 'none')
  const document = {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: authenticationMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // Required by §2. There is no authorization endpoint, so the list is empty.
    response_types_supported: [],
    grant_types_supported: grants.map((grant) => grant.type),
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: authenticationMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: confidential,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // Not registered with IANA; described in docs/verifying.md.
    revocations_uri: `${issuer}/.well-known/revocations`,
    revocations_staleness_seconds: feedStalenessSeconds,
  }
  const cached = cachedDocument(JSON.stringify(document), maxAgeSeconds)
  return () => cached
}
