import type { ExecutionContext } from 'ava'
import { z } from 'zod'
import type { Answer } from '../../../tools/http-client.ts'
import { type ServerOptions, startServer, type TestServer } from '../server/start-server.ts'

type Json = Record<string, unknown>
interface Described {
  readonly responses: Record<string, { content?: Record<string, { schema: Json }> }>
}
interface Document {
  readonly paths: Record<string, Record<string, Described>>
  readonly components: { readonly schemas: Json }
}

/** A server each of whose answers is compared with /openapi.json: one that is not described fails the test. */
export async function startConformingServer(
  t: ExecutionContext<unknown>,
  options: ServerOptions = {},
): Promise<TestServer> {
  const server = await startServer(t, options)
  const document: Document = (await server.get('/openapi.json')).body
  const ask = server.request.bind(server)
  server.request = async (path, init = {}) => {
    const answer = await ask(path, init)
    const method = (init.method ?? 'GET').toLowerCase()
    const mistake = mistakeOf(document, method, new URL(path, server.url).pathname, answer)
    if (mistake) t.fail(`${method} ${path} → ${answer.status}: ${mistake}\n${answer.text}`)
    return answer
  }
  return server
}

/** The difference between an answer and the document; undefined when they agree. */
function mistakeOf(
  { paths, components }: Document,
  method: string,
  pathname: string,
  { status, headers, text, body }: Answer,
): string | undefined {
  const described = Object.entries(paths).find(([path]) => pattern(path).test(pathname))?.[1]
  const one = described?.[method]
  // Where nothing is there is nothing to describe.
  if (!one) return [404, 405, 204].includes(status) ? undefined : 'is not described at all'
  const response = one.responses[status] ?? (status >= 400 ? one.responses.default : undefined)
  if (!response) return 'the status is not described'
  if (!response.content) return text === '' ? undefined : 'has a body that is not described'
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  const content = response.content[type]
  if (!content) return response.content['*/*'] ? undefined : `the type ${type} is not described`
  return schemaOf(content.schema, components.schemas).safeParse(body).error?.message
}

const pattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`)

const known = new Map<string, z.ZodType>()

function schemaOf(schema: Json, schemas: Json): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: schemas }).replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  )
  const read = known.get(text) ?? z.fromJSONSchema(JSON.parse(text))
  known.set(text, read)
  return read
}
