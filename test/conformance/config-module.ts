import type { Module } from './module.ts'

/** Discovery demands https. */
export const issuer = 'https://op.example'

const endpoints = [
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'jwks_uri',
  'end_session_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
]

/** OpenID Connect Discovery 1.0 §3, RFC 8414, and the specifications that add members. */
const registered =
  `issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri registration_endpoint
  scopes_supported response_types_supported response_modes_supported grant_types_supported
  acr_values_supported subject_types_supported id_token_signing_alg_values_supported
  token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported
  display_values_supported claim_types_supported claims_supported service_documentation
  claims_locales_supported ui_locales_supported claims_parameter_supported request_parameter_supported
  request_uri_parameter_supported require_request_uri_registration op_policy_uri op_tos_uri
  revocation_endpoint revocation_endpoint_auth_methods_supported
  revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint
  introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
  code_challenge_methods_supported authorization_response_iss_parameter_supported end_session_endpoint
  backchannel_logout_supported backchannel_logout_session_supported prompt_values_supported`.split(
    /\s+/,
  )

export const configuration: readonly Module[] = [
  {
    name: 'oidcc-discovery-endpoint-verification',
    title: 'the discovery document → complete, and without unknown members',
    async check(t, rp) {
      const response = await fetch(`${rp.server.url}/.well-known/openid-configuration`)
      t.is(response.status, 200)
      t.regex(response.headers.get('content-type') ?? '', /^application\/json\b/)
      const document = await response.json()
      t.is(document.issuer, issuer)
      for (const name of endpoints) t.true(document[name]?.startsWith(`${issuer}/`), name)
      t.deepEqual(
        Object.keys(document).filter((name) => !registered.includes(name)),
        [],
      )
      t.deepEqual(document.response_types_supported, ['code'])
      t.deepEqual(document.subject_types_supported, ['public'])
      t.true(document.id_token_signing_alg_values_supported.includes('RS256'))
      t.false(document.id_token_signing_alg_values_supported.includes('none'))
      t.true(document.scopes_supported.includes('openid'))
      for (const scope of document.scopes_supported) t.regex(scope, /^[\x21\x23-\x5b\x5d-\x7e]+$/)
      t.true(document.claims_supported.includes('sub'))
      t.true(document.grant_types_supported.includes('authorization_code'))
      t.deepEqual(document.code_challenge_methods_supported, ['S256'])
      for (const tag of document.ui_locales_supported) t.is(new Intl.Locale(tag).toString(), tag)
      const { pathname } = new URL(document.jwks_uri)
      t.is((await fetch(`${rp.server.url}${pathname}`)).status, 200)
      await rp.jwks(t)
    },
  },
]
