import type { BearerRequest } from './bearer-header.ts'
import { type DoorOptions, type Doors, openDoors } from './guards.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { DoorOptions, Doors } from './guards.ts'

/** What is used of Koa's context. */
export interface KoaContext {
  readonly req: BearerRequest
  readonly state: object
  status: number
  body: unknown
  set(headers: Record<string, string>): void
}

export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>

/** Doors for Koa: the claims are `ctx.state.user`. */
export function signet(
  verifier: Pick<Verifier, 'verify'>,
  options: DoorOptions = {},
): Doors<KoaMiddleware> {
  return openDoors<KoaMiddleware>(verifier, options, (door) => async (ctx, next) => {
    const { refusal, ...verdict } = await door(ctx.req)
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
