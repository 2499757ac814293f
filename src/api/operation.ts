import { Readable } from 'node:stream'
import type Router from '@koa/router'
import type { output, ZodType } from 'zod'
import type { Context, Middleware, RequestState } from '../http/context.ts'
import { readForm } from '../http/request-body.ts'
import type { Access, AccessControl, Person } from './access-control.ts'
import { checked, readJson } from './json.ts'
import { type FieldProblem, Problem } from './problem.ts'

export interface Reply {
  readonly status: number
  /** A stream is JSON already and follows its schema; an error in it ends the connection. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** `Set-Cookie` values. */
  readonly cookies?: readonly string[]
}

/** The input of a handler, checked against its schemas, and the caller. */
interface Call<Body, Form, Query, Path, Who> {
  readonly body: Body
  readonly form: Form
  readonly query: Query
  readonly path: Path
  readonly person: Who
  readonly ip: string
  readonly userAgent: string | undefined
  readonly ctx: Context
}

interface ResponseDescription {
  readonly description: string
  /** Without it there is no body. Fields that it does not name do not leave the server. */
  readonly schema?: ZodType
}

type Parsed<Schema> = Schema extends ZodType ? output<Schema> : undefined

interface Definition<Body, Form, Query, Path, Kind extends Access> {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** With `{name}` for a parameter, as in OpenAPI. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly access: Kind
  readonly body?: Body
  /** An `application/x-www-form-urlencoded` body instead of JSON. */
  readonly form?: Form
  /** Finds errors that no schema can know, when the body breaks its schema: all are reported at once. */
  readonly alsoWrong?: (body: unknown, ip: string) => Promise<FieldProblem[]>
  readonly query?: Query
  readonly pathParams?: Path
  readonly responses: Readonly<Record<number, ResponseDescription>>
  handle(
    call: Call<
      Parsed<Body>,
      Parsed<Form>,
      Parsed<Query>,
      Parsed<Path>,
      Kind extends 'public' | 'optional' ? Person | undefined : Person
    >,
  ): Promise<Reply>
}

/** One endpoint of the JSON API. The schemas that validate it also describe it in OpenAPI. */
export type Operation = Definition<
  ZodType | undefined,
  ZodType | undefined,
  ZodType | undefined,
  ZodType | undefined,
  Access
>

/** Keeps the types of the schemas for the handler and erases them outside. */
export const operation = <
  Kind extends Access,
  Body extends ZodType | undefined = undefined,
  Form extends ZodType | undefined = undefined,
  Query extends ZodType | undefined = undefined,
  Path extends ZodType | undefined = undefined,
>(
  definition: Definition<Body, Form, Query, Path, Kind>,
): Operation => definition as unknown as Operation

/** Mounts operations: authorize the caller, check the input, answer by the schema. */
export function mount(
  router: Router<RequestState>,
  operations: readonly Operation[],
  accessControl: AccessControl,
  prefix: string,
): void {
  for (const one of operations) {
    const path = prefix + one.path.replace(/\{(\w+)\}/g, ':$1')
    router[one.method](path, answering(one, accessControl))
  }
}

function answering(one: Operation, accessControl: AccessControl): Middleware {
  return async (ctx) => {
    const person = await accessControl.authorize(ctx, one.access)
    const reply = await one.handle({
      body: one.body && (await checkedBody(one, one.body, ctx)),
      form: one.form && checked(one.form, await readForm(ctx, { mayHaveQuery: false })),
      query: one.query && checked(one.query, inUrl({ ...ctx.query })),
      path: one.pathParams && checked(one.pathParams, inUrl({ ...ctx.params })),
      person: person as Person,
      ip: ctx.state.ip,
      userAgent: ctx.get('user-agent') || undefined,
      ctx,
    })
    send(ctx, one, reply)
  }
}

/** PostgreSQL stores no NUL, so nothing can be found by it. */
function inUrl<T extends object>(values: T): T {
  if (
    Object.values(values)
      .flat()
      .some((value) => String(value).includes('\0'))
  ) {
    throw new Problem('malformed-request', { detail: 'the URL contains a NUL character' })
  }
  return values
}

/** True if a body follows the head: RFC 9112 §6. */
const hasBody = (ctx: Context): boolean =>
  ctx.get('transfer-encoding') !== '' || !['', '0'].includes(ctx.get('content-length'))

async function checkedBody(one: Operation, schema: ZodType, ctx: Context): Promise<unknown> {
  if (!hasBody(ctx) && schema.safeParse(undefined).success) return undefined
  const body = await readJson(ctx)
  try {
    return checked(schema, body)
  } catch (error) {
    if (!(error instanceof Problem && one.alsoWrong)) throw error
    const reported = new Set(error.errors.map(({ pointer }) => pointer))
    const more = await one.alsoWrong(body, ctx.state.ip)
    const errors = [...error.errors, ...more.filter(({ pointer }) => !reported.has(pointer))]
    throw new Problem('invalid-fields', { errors })
  }
}

function send(
  ctx: Context,
  one: Operation,
  { status, body, headers = {}, cookies = [] }: Reply,
): void {
  const described = one.responses[status]
  if (!described)
    throw new Error(`${one.method} ${one.path} answers ${status}, which is not among its responses`)
  ctx.status = status
  ctx.set(headers)
  if (cookies.length > 0) ctx.append('set-cookie', [...cookies])
  if (described.schema) {
    ctx.body = body instanceof Readable ? body : JSON.stringify(described.schema.parse(body))
    ctx.type = 'application/json; charset=utf-8'
  } else {
    ctx.body = null
    ctx.status = status
  }
}
