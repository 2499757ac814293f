import type { RefusalRecord } from '../audit/refusal-record.ts'
import type { Context } from '../http/context.ts'

/** The record of a request whose answer is an error, or that has a cause although it succeeded. */
export function noteRefusal(refusals: RefusalRecord): (ctx: Context, route: string) => void {
  return (ctx, route) => {
    // A path that does not exist: scanners ask for thousands of them, and the answer says everything.
    if (route === 'none') return
    const { requestId, ip, facts, isProven, sentence } = ctx.state
    const { clientId, userId, sid, grant, error, policy } = facts
    const cause = typeof facts.cause === 'string' ? facts.cause : sentence
    const isStranger = !isProven && userId === undefined && sid === undefined
    refusals.note(
      {
        requestId,
        method: ctx.method,
        route,
        status: ctx.status,
        error,
        cause: cause?.replace(/\p{Cc}/gu, ' '),
        grant,
        policy,
        clientId,
        userId,
        sid,
      },
      { ip, isStranger },
    )
  }
}
