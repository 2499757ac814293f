import {
  type BearerRequest,
  createGuards,
  type Guard,
  type GuardOptions,
  type Guards,
} from './guards.ts'
import { admitSession, type SessionGuardOptions } from './session-check.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { GuardOptions, Guards } from './guards.ts'
export type { SessionGuardOptions } from './session-check.ts'

/** The used members of a response. Node's own has them, so frameworks like Express fit as well. */
export interface ExpressResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

export type ExpressMiddleware = (
  req: BearerRequest,
  res: ExpressResponse,
  next: (error?: unknown) => void,
) => void

/** Creates guards for Express, which set `req.user` to the claims. */
export function signet(
  verifier: Pick<Verifier, 'verify'>,
  options: GuardOptions = {},
): Guards<ExpressMiddleware> {
  return createGuards<ExpressMiddleware>(verifier, options, (guard) => (req, res, next) => {
    // Express 4 ignores promises, so errors are passed on by hand. An error that a later handler throws out
    // of `next` reaches the error handler, as it does in a middleware without promises.
    pass(guard, req, res)
      .then((admitted) => {
        if (admitted) next()
      })
      .catch(next)
      .catch(() => undefined)
  })
}

async function pass(guard: Guard, req: BearerRequest, res: ExpressResponse): Promise<boolean> {
  const { refusal, ...verdict } = await guard(req)
  if (!refusal) {
    Object.assign(req, verdict)
    return true
  }
  res.statusCode = refusal.status
  for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value)
  res.end(refusal.body)
  return false
}

/** Creates a middleware that ends the session of a web app when the person has signed out at the issuer. */
export function liveSession<Request, Response>(
  verifier: Pick<Verifier, 'checkSession'>,
  options: SessionGuardOptions<[req: Request, res: Response]>,
): (req: Request, res: Response, next: (error?: unknown) => void) => void {
  return (req, res, next) => {
    admitSession(verifier, options, req, res)
      .then((admitted) => {
        if (admitted) next()
      })
      .catch(next)
      .catch(() => undefined)
  }
}
