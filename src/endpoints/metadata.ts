import { prompts, responseModes } from '../authentication/authorization-request.ts'
import { acrLevels } from '../authentication/next.ts'
import { authenticationMethods } from '../clients/client-settings.ts'
import { assertionAlgorithms } from '../clients/public-keys.ts'
import type { Grant } from '../grants/grant.ts'
import { cachedDocument, type ReadDocument } from '../http/cached-documents.ts'
import { offlineAccess, openId } from '../oauth/scope.ts'
import { claimNames, claimsOfScope } from '../users/person-claims.ts'

interface Dependencies {
  readonly issuer: string
  /** The languages of the pages, BCP 47. */
  readonly languages: readonly string[]
  readonly grants: readonly Grant[]
}

/** The claims of every ID token. */
const standardClaims = 'iss sub aud exp iat auth_time acr amr sid nonce at_hash'.split(' ')

const maxAgeSeconds = 300

/** The feed serves no older list while its database answers: it reads twice a second and signs again every 5 s. */
const feedStalenessSeconds = 10

/** Both documents. Created once, because they depend on no request. */
export function metadata({ issuer, grants, languages }: Dependencies): {
  /** RFC 8414. */
  readonly oauth: ReadDocument
  /** OpenID Connect Discovery 1.0 §3: without the members that are not registered. */
  readonly openId: ReadDocument
} {
  const confidential = authenticationMethods.filter((method) => method !== 'none')
  const document = {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: authenticationMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    response_types_supported: ['code'],
    response_modes_supported: responseModes,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    grant_types_supported: grants.map((grant) => grant.type),
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: authenticationMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: confidential,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    userinfo_endpoint: `${issuer}/oauth/userinfo`,
    end_session_endpoint: `${issuer}/oauth/sign-out`,
    scopes_supported: [openId, ...Object.keys(claimsOfScope), offlineAccess],
    claims_supported: [...standardClaims, ...claimNames],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    acr_values_supported: acrLevels,
    prompt_values_supported: prompts,
    ui_locales_supported: languages,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }
  const own = {
    // Not registered with IANA; described in docs/verifying.md.
    revocations_uri: `${issuer}/.well-known/revocations`,
    revocations_staleness_seconds: feedStalenessSeconds,
  }
  const documentOf = (members: object) => {
    const cached = cachedDocument(JSON.stringify(members), maxAgeSeconds)
    return () => cached
  }
  return { oauth: documentOf({ ...document, ...own }), openId: documentOf(document) }
}
