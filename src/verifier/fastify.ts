import { type BearerRequest, createGuards, type GuardOptions, type Guards } from './guards.ts'
import { admitSession, type SessionGuardOptions } from './session-check.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { GuardOptions, Guards } from './guards.ts'
export type { SessionGuardOptions } from './session-check.ts'

/** The used members of a request and a reply of Fastify. */
export interface FastifyRequestParts {
  readonly raw: BearerRequest
}

export interface FastifyReplyParts {
  statusCode: number
  headers(values: Record<string, string>): unknown
  /** `never` fits the reply type that a route declares. */
  send(body: never): unknown
}

export type FastifyHook = (
  request: FastifyRequestParts,
  reply: FastifyReplyParts,
) => Promise<unknown>

/** Creates guards for Fastify, as `onRequest` or a later hook, which set `request.user` to the claims. */
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
    // A string, so that no schema of the route filters it.
    reply.send(refusal.body as never)
    return reply
  })
}

/** Creates a hook that ends the session of a web app when the person has signed out at the issuer. */
export function liveSession<Request, Reply>(
  verifier: Pick<Verifier, 'checkSession'>,
  options: SessionGuardOptions<[request: Request, reply: Reply]>,
): (request: Request, reply: Reply) => Promise<unknown> {
  return async (request, reply) =>
    (await admitSession(verifier, options, request, reply)) ? undefined : reply
}
