import type { Grant } from '../grants/grant.ts'
import { hasLeft } from '../http/abandoned.ts'
import type { Context, Middleware } from '../http/context.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Metrics } from '../telemetry/metrics.ts'

interface Dependencies {
  readonly grants: readonly Grant[]
  readonly metrics: Metrics
}

/**
 * The token endpoint, RFC 6749 §3.2: finds the grant, checks that the client may use it, and does what all
 * grants have in common.
 */
export function token({ grants, metrics }: Dependencies): Middleware {
  const byType = new Map<string, Grant>(grants.map((grant) => [grant.type, grant]))
  const timers = new Map(
    grants.map(({ type }) => [type, metrics.tokenSeconds.labels({ grant: type })]),
  )
  return async (ctx) => {
    const grant = chosenGrant(ctx, byType)
    const stop = timers.get(grant.type)?.startTimer()
    ctx.state.facts.grant = grant.type
    try {
      ctx.body = await grant.exchange(ctx.state.client, ctx.state.params, {
        ip: ctx.state.ip,
        userAgent: ctx.get('user-agent') || undefined,
        hasLeft: () => hasLeft(ctx),
      })
      metrics.tokenRequests.inc({ grant: grant.type, outcome: 'ok' })
    } catch (error) {
      const outcome = error instanceof OAuthError ? error.code : 'error'
      metrics.tokenRequests.inc({ grant: grant.type, outcome })
      throw error
    } finally {
      stop?.()
    }
  }
}

function chosenGrant(ctx: Context, byType: ReadonlyMap<string, Grant>): Grant {
  const grant = byType.get(ctx.state.params.require('grant_type'))
  if (!grant) {
    const supported = [...byType.keys()].join(', ')
    throw new OAuthError('unsupported_grant_type', `the supported grant types are ${supported}`)
  }
  if (!ctx.state.client.grantTypes.includes(grant.type)) {
    throw new OAuthError('unauthorized_client', 'this client is not allowed to use this grant type')
  }
  return grant
}
