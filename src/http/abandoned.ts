import { setImmediate as turn } from 'node:timers/promises'
import type { Context, Middleware } from './context.ts'

const beatMilliseconds = 250
const stallMilliseconds = 1000
/** What lay in the sockets is read within this time. */
const carefulMilliseconds = 5000

/** Notices that this process stood still: stopped, swapped out, or busy with one thing for a second. */
export class StallWatch {
  readonly #beat: NodeJS.Timeout
  #lastTurn = performance.now()
  #carefulUntil = 0

  constructor() {
    this.#beat = setInterval(() => this.#look(), beatMilliseconds).unref()
  }

  /** Whether it stood still a moment ago. Sockets are read before timers are looked at: so it looks itself. */
  stoodStill(): boolean {
    return this.#look() < this.#carefulUntil
  }

  stop(): void {
    clearInterval(this.#beat)
  }

  #look(): number {
    const now = performance.now()
    if (now - this.#lastTurn > stallMilliseconds) this.#carefulUntil = now + carefulMilliseconds
    this.#lastTurn = now
    return now
  }
}

/**
 * Whether the connection of the caller is closed. That it is comes after the request, in the next turns of
 * the event loop, however long ago both were sent.
 */
export async function hasLeft({ req, res }: Context): Promise<boolean> {
  await turn()
  await turn()
  return req.socket.destroyed || req.socket.readableEnded || res.destroyed
}

/** The status that proxies log for a caller who closed the connection. Nobody is there to read it. */
const closedRequest = 499

/**
 * After a stall, work is not done for callers who have given up meanwhile. They have repeated it elsewhere, and a
 * refresh that is done twice looks like a theft.
 */
export function ignoreAbandoned(stalls: StallWatch): Middleware {
  return (ctx, next) => {
    if (!stalls.stoodStill() || safeMethods.has(ctx.method)) return next()
    return unlessLeft(ctx, next)
  }
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

async function unlessLeft(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  if (!(await hasLeft(ctx))) {
    await next()
    return
  }
  ctx.state.facts.cause = 'the caller has closed the connection'
  ctx.status = closedRequest
  ctx.body = ''
}
