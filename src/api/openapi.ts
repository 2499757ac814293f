import type { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi'
import { type CachedDocument, cachedDocument, type ReadDocument } from '../http/cached-documents.ts'
import { problem } from './account/schemas.ts'
import { atRoot, oauthPaths } from './openapi-oauth.ts'
import type { Access, Operation } from './operation.ts'

interface Dependencies {
  readonly operations: readonly Operation[]
  readonly issuer: string
  readonly version: string
}

const maxAgeSeconds = 300

/**
 * OpenAPI 3.1 of every endpoint. The JSON API is described by the very schemas that check what comes
 * in and cut what goes out, so the description cannot lie.
 */
export function openApi(deps: Dependencies): ReadDocument {
  let document: CachedDocument | undefined
  return () => {
    // Made at the first call: a server that nobody asks pays nothing for it.
    document ??= cachedDocument(JSON.stringify(describe(deps)), maxAgeSeconds)
    return document
  }
}

export function describe({
  operations,
  issuer,
  version,
}: Dependencies): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = { ...pathsOf(new URL(issuer)) }
  for (const one of operations) {
    paths[one.path] = { ...paths[one.path], [one.method]: describeOperation(one) }
  }
  return createDocument({
    openapi: '3.1.1',
    info: { title: 'Signet', version, description: 'An OAuth 2 authorization server.' },
    servers: [{ url: issuer }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        cookie: { type: 'apiKey', in: 'cookie', name: '__Host-signet_access' },
        client: { type: 'http', scheme: 'basic', description: 'client_id and client_secret' },
      },
    },
  })
}

/** Paths are told from the issuer on; what lies at the root of its host says so. */
function pathsOf({ origin, pathname }: URL): ZodOpenApiPathsObject {
  const path = pathname.replace(/\/$/, '')
  if (path === '') return oauthPaths
  const entries = Object.entries(oauthPaths).map(([name, item]) => {
    if (!atRoot.includes(name)) return [name, item]
    const full = name.startsWith('/.well-known/') ? name + path : name
    return [full, { ...item, servers: [{ url: origin }] }]
  })
  return Object.fromEntries(entries)
}

function describeOperation(one: Operation): ZodOpenApiOperationObject {
  const type = one.form ? 'application/x-www-form-urlencoded' : 'application/json'
  const body = one.form ?? one.body
  return {
    tags: [one.tag],
    summary: one.summary,
    operationId: operationId(one),
    ...securityOf(one.access),
    ...((one.pathParams || one.query) && {
      requestParams: {
        ...(one.pathParams && { path: one.pathParams as z.ZodObject }),
        ...(one.query && { query: one.query as z.ZodObject }),
      },
    }),
    ...(body && {
      requestBody: {
        required: !body.safeParse(undefined).success,
        content: { [type]: { schema: body } },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(one.responses).map(describeResponse)),
      default: {
        description: 'What went wrong, RFC 9457',
        content: { 'application/problem+json': { schema: problem } },
      },
    },
  }
}

const describeResponse = ([status, { description, schema }]: [
  string,
  Operation['responses'][number],
]) => [status, { description, ...(schema && { content: { 'application/json': { schema } } }) }]

/** Stable names for generated clients: the method and the path. */
const operationId = ({ method, path }: Operation): string =>
  `${method}_${path
    .replace('/api/v1/', '')
    .replace(/[{}]/g, '')
    .replace(/[^a-z0-9]+/gi, '_')}`

/** The empty requirement says that it works without, too. */
function securityOf(access: Access) {
  if (access === 'public') return {}
  const session = [{ bearer: [] }, { cookie: [] }]
  return { security: access === 'optional' ? [{}, ...session] : session }
}
