import type { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi'
import { type CachedDocument, cachedDocument, type ReadDocument } from '../http/cached-documents.ts'
import type { Access } from './access-control.ts'
import { problem } from './account/schemas.ts'
import { atRoot, oauthPaths } from './openapi-oauth.ts'
import type { Operation } from './operation.ts'

interface Dependencies {
  readonly operations: readonly Operation[]
  readonly issuer: string
  readonly version: string
}

const maxAgeSeconds = 300

/**
 * OpenAPI 3.1 of every endpoint. The schemas that check the input and trim the output of the JSON API
 * describe it too, so the description is always right.
 */
export function openApi(deps: Dependencies): ReadDocument {
  let document: CachedDocument | undefined
  return () => {
    // Created at the first request, so that starting is not slower.
    document ??= cachedDocument(JSON.stringify(describe(deps)), maxAgeSeconds)
    return document
  }
}

function describe({
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

/** Paths are relative to the issuer; those at the root of its host name their own server. */
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
        description: 'An error, RFC 9457',
        content: { 'application/problem+json': { schema: problem } },
      },
    },
  }
}

const describeResponse = ([status, { description, schema }]: [
  string,
  Operation['responses'][number],
]) => [status, { description, ...(schema && { content: { 'application/json': { schema } } }) }]

/** A stable name for generated clients, from the method and the path. */
const operationId = ({ method, path }: Operation): string =>
  `${method}_${path
    .replace('/api/v1/', '')
    .replace(/[{}]/g, '')
    .replace(/[^a-z0-9]+/gi, '_')}`

/** An empty requirement means that authentication is optional. */
function securityOf(access: Access) {
  if (access === 'public') return {}
  const session = [{ bearer: [] }, { cookie: [] }]
  return { security: access === 'optional' ? [{}, ...session] : session }
}
