import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi'
import { grantTypes } from '../clients/client-settings.ts'

/** The OAuth endpoints for OpenAPI. Their rules are in the RFCs; a test compares this with real answers. */

const form = 'application/x-www-form-urlencoded'
const oauthError = z
  .object({ error: z.string(), error_description: z.string() })
  .meta({ id: 'OAuthError', description: 'RFC 6749 section 5.2' })

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})

const clientFields = {
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  client_assertion_type: z.string().optional(),
  client_assertion: z.string().optional(),
}

const tokenResponse = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    scope: z.string(),
    refresh_token: z.string().optional(),
    id_token: z.string().optional(),
    device_token: z.string().optional(),
    issued_token_type: z.string().optional(),
  })
  .meta({ id: 'TokenResponse' })

const introspection = z
  .looseObject({ active: z.boolean() })
  .meta({ id: 'Introspection', description: 'RFC 7662; only `active` when it is false' })

const post = (
  summary: string,
  fields: z.ZodRawShape,
  answer: ZodOpenApiOperationObject['responses'],
): ZodOpenApiOperationObject => ({
  tags: ['OAuth 2'],
  summary,
  security: [{ client: [] }, {}],
  requestBody: {
    required: true,
    content: { [form]: { schema: z.object({ ...fields, ...clientFields }) } },
  },
  responses: { ...answer, default: json('An error', oauthError) },
})

const get = (tag: string, summary: string, schema: z.ZodType): ZodOpenApiOperationObject => ({
  tags: [tag],
  summary,
  responses: { 200: json('The document', schema) },
})

const claims = (summary: string): ZodOpenApiOperationObject => ({
  tags: ['OpenID Connect'],
  summary,
  security: [{ bearer: [] }],
  responses: {
    200: json('The claims', z.looseObject({ sub: z.string() })),
    default: json('An error', oauthError),
  },
})

const health = z.object({ status: z.string(), checks: z.record(z.string(), z.string()) })

const readiness: ZodOpenApiOperationObject = {
  tags: ['Health'],
  summary: 'Check whether this instance is ready for traffic',
  responses: { 200: json('Ready', health), 503: json('Not ready', health) },
}

const status = (summary: string): ZodOpenApiOperationObject => {
  const answer = z.object({ status: z.enum(['ok', 'unavailable']) })
  return {
    tags: ['Health'],
    summary,
    responses: { 200: json('Ready', answer), 503: json('Not ready', answer) },
  }
}

const file = (summary: string): ZodOpenApiOperationObject => ({
  tags: ['Discovery'],
  summary,
  responses: {
    200: { description: 'The file', content: { '*/*': { schema: z.string() } } },
    404: json('There is no such file', oauthError),
  },
})

const revocationsList: ZodOpenApiOperationObject = {
  tags: ['Discovery'],
  summary:
    'Get the signed list of active revocations, for services that verify tokens by themselves',
  requestParams: {
    query: z.object({
      since: z
        .string()
        .optional()
        .meta({ description: '`seq` of the last list: return only newer entries' }),
      wait: z
        .int()
        .min(0)
        .max(30)
        .optional()
        .meta({ description: 'seconds to wait for newer entries' }),
      part: z.int().min(0).optional().meta({
        description: '0 allows the list to be returned in parts; with `of`: the part to return',
      }),
      of: z.int().min(2).optional().meta({ description: 'the number of parts' }),
    }),
  },
  responses: {
    200: { description: 'The list', content: { 'application/jwt': { schema: z.string() } } },
    304: { description: 'The list has not changed' },
    400: json('A parameter is invalid, or the list is divided differently or too long', oauthError),
  },
}

const tokenFields = {
  grant_type: z.enum(grantTypes),
  code: z.string().optional(),
  redirect_uri: z.string().optional(),
  code_verifier: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  refresh_token: z.string().optional(),
  subject_token: z.string().optional(),
  subject_token_type: z.string().optional(),
  scope: z.string().optional(),
  resource: z.string().optional(),
  audience: z.string().optional(),
  device_token: z.string().optional(),
}

const aboutToken = { token: z.string(), token_type_hint: z.string().optional() }

export const oauthPaths: ZodOpenApiPathsObject = {
  '/oauth/token': {
    post: post('Exchange a grant for tokens (RFC 6749 section 3.2)', tokenFields, {
      200: json('Tokens', tokenResponse),
    }),
  },
  '/oauth/revoke': {
    post: post('Revoke a token (RFC 7009)', aboutToken, {
      200: { description: 'Revoked or unknown' },
    }),
  },
  '/oauth/introspect': {
    post: post('Introspect a token (RFC 7662)', aboutToken, {
      200: json('The state of the token', introspection),
    }),
  },
  '/oauth/userinfo': {
    get: claims('Get the claims about the person of a token (OpenID Connect Core section 5.3)'),
    post: claims('The same, with the token in the header or as access_token in a form'),
  },
  '/.well-known/jwks.json': {
    get: get('Discovery', 'Public keys (RFC 7517)', z.object({ keys: z.array(z.looseObject({})) })),
  },
  '/.well-known/revocations': { get: revocationsList },
  '/.well-known/oauth-authorization-server': {
    get: get('Discovery', 'Server metadata (RFC 8414)', z.looseObject({ issuer: z.string() })),
  },
  '/.well-known/openid-configuration': {
    get: get('Discovery', 'OpenID Connect metadata', z.looseObject({ issuer: z.string() })),
  },
  '/health/live': { get: get('Health', 'Check whether the process runs', z.looseObject({})) },
  '/health/ready': { get: readiness },
  '/api/v1/health': { get: status('Check whether this instance is ready') },
  '/api/v1/health/database': { get: status('Check whether its database answers') },
  '/openapi.json': { get: get('Discovery', 'This description', z.looseObject({})) },
  '/docs': { get: file('A page that renders this description') },
  '/docs/{name}': {
    get: {
      ...file('A file of that page'),
      requestParams: { path: z.object({ name: z.string() }) },
    },
  },
}

/** At the root of the host, whatever the path of the issuer: RFC 8414 §3.1. */
export const atRoot: readonly string[] = [
  '/.well-known/oauth-authorization-server',
  '/health/live',
  '/health/ready',
]
