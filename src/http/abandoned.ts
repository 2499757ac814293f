import { setImmediate as turn } from 'node:timers/promises'
import type { Context, Middleware } from './context.ts'

const beatMilliseconds = 250
const stallMilliseconds = 1000
/** Requests that arrived during a stall are read within this time. */
const carefulMilliseconds = 5000

/** Notices that the event loop stood still for a second: the process was stopped, swapped out, or busy. */
export class StallWatch {
  readonly #beat: NodeJS.Timeout
  #lastTurn = performance.now()
  #carefulUntil = 0

  constructor() {
    this.#beat = setInterval(() => this.#check(), beatMilliseconds).unref()
  }

  /** True for a few seconds after a stall. Sockets may be read before the timer fires, so this checks as well. */
  stoodStill(): boolean {
    return this.#check() < this.#carefulUntil
  }

  stop(): void {
    clearInterval(this.#beat)
  }

  #check(): number {
    const now = performance.now()
    if (now - this.#lastTurn > stallMilliseconds) this.#carefulUntil = now + carefulMilliseconds
    this.#lastTurn = now
    return now
  }
}

/**
 * True if the caller has closed the connection. Node sees the end one or two turns of the event loop after
 * the request, however long ago both were sent.
 */
export async function hasLeft({ req, res }: Context): Promise<boolean> {
  await turn()
  await turn()
  return req.socket.destroyed || req.socket.readableEnded || res.destroyed
}

/** The status that proxies log when the caller closed the connection; only the log shows it. */
const closedRequest = 499

/**
 * After a stall, drops requests of callers that have given up meanwhile. They have retried elsewhere, and a
 * refresh token that is used twice looks stolen.
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
