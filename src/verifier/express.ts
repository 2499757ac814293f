import type { BearerRequest } from './bearer-header.ts'
import { createGuards, type Door, type GuardOptions, type Guards } from './guards.ts'
import type { Verifier } from './verifier.ts'

export type { Refusal, RefusalReason } from './challenge.ts'
export type { GuardOptions, Guards } from './guards.ts'

/** What is used of a response: Node's own has it, so this also fits whatever is made like Express. */
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

/** Doors for Express: the claims are `req.user`. */
export function signet(
  verifier: Pick<Verifier, 'verify'>,
  options: GuardOptions = {},
): Guards<ExpressMiddleware> {
  return createGuards<ExpressMiddleware>(verifier, options, (guard) => (req, res, next) => {
    // Handed on by hand: Express 4 does not look at promises. What a later handler throws out of `next` goes
    // to the error handler, as it does for a middleware without promises.
    pass(guard, req, res)
      .then((admitted) => {
        if (admitted) next()
      })
      .catch(next)
      .catch(() => undefined)
  })
}

async function pass(guard: Door, req: BearerRequest, res: ExpressResponse): Promise<boolean> {
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
