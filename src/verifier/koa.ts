import { type BearerRequest, createGuards, type GuardOptions, type Guards } from './guards.ts'
import { admitSession, type SessionGuardOptions } from './session-check.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { GuardOptions, Guards } from './guards.ts'
export type { SessionGuardOptions } from './session-check.ts'

/** The used members of Koa's context. */
export interface KoaContext {
  readonly req: BearerRequest
  readonly state: object
  status: number
  body: unknown
  set(headers: Record<string, string>): void
}

export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>

/** Creates guards for Koa, which set `ctx.state.user` to the claims. */
export function signet(
  verifier: Pick<Verifier, 'verify'>,
  options: GuardOptions = {},
): Guards<KoaMiddleware> {
  return createGuards<KoaMiddleware>(verifier, options, (guard) => async (ctx, next) => {
    const { refusal, ...verdict } = await guard(ctx.req)
    if (!refusal) {
      Object.assign(ctx.state, verdict)
      await next()
      return
    }
    ctx.status = refusal.status
    ctx.set({ ...refusal.headers })
    ctx.body = refusal.body
  })
}

/** Creates a middleware that ends the session of a web app when the person has signed out at the issuer. */
export function liveSession<Context>(
  verifier: Pick<Verifier, 'checkSession'>,
  options: SessionGuardOptions<[ctx: Context]>,
): (ctx: Context, next: () => Promise<unknown>) => Promise<void> {
  return async (ctx, next) => {
    if (await admitSession(verifier, options, ctx)) await next()
  }
}
