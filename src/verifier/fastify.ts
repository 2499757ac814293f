import type { BearerRequest } from './bearer-header.ts'
import { createGuards, type GuardOptions, type Guards } from './guards.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { GuardOptions, Guards } from './guards.ts'

/** What is used of a request and a reply of Fastify. */
export interface FastifyRequestParts {
  readonly raw: BearerRequest
}

export interface FastifyReplyParts {
  statusCode: number
  headers(values: Record<string, string>): unknown
  /** Of whatever type the route declares its replies to be. */
  send(body: never): unknown
}

export type FastifyHook = (
  request: FastifyRequestParts,
  reply: FastifyReplyParts,
) => Promise<unknown>

/** Doors for Fastify, as `onRequest` or any later hook: the claims are `request.user`. */
export function signet(
  verifier: Pick<Verifier, 'verify'>,
  options: GuardOptions = {},
): Guards<FastifyHook> {
  return createGuards<FastifyHook>(verifier, options, (guard) => async (request, reply) => {
    const { refusal, ...verdict } = await guard(request.raw)
    if (!refusal) {
      Object.assign(request, verdict)
      return
    }
    reply.statusCode = refusal.status
    reply.headers({ ...refusal.headers })
    // A string: no schema of the route decides what is left of it.
    reply.send(refusal.body as never)
    return reply
  })
}
