import type { AuditLog } from '../audit/audit-log.ts'
import { later } from '../clock.ts'
import type { Context, Middleware } from '../http/context.ts'
import { skewSeconds } from '../keyring/timing.ts'
import { OAuthError } from '../oauth/error.ts'
import type { RevocationLog } from '../revocations/revocation-log.ts'
import type { Change, Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import { looksLikeRefreshToken } from '../sessions/refresh-token.ts'
import type { Throttle } from '../throttle/throttle.ts'
import { ThrottledError } from '../throttle/throttled.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { faultText } from '../tokens/token-fault.ts'

interface Dependencies {
  readonly accessTokens: AccessTokens
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly revocationLog: RevocationLog
  readonly audit: AuditLog
  readonly throttle: Throttle
}

/** Access tokens of one session that are revoked one by one; the next one ends the session. */
const maxOfSession = 10
/** The same of a client that acts for itself, or of an API key; the next one is refused for a while. */
const maxOfOthers = 1000

/**
 * RFC 7009. Revoking a refresh token ends its session and all access tokens of it; revoking an access token
 * ends that token alone. An invalid token, or one of another client, changes nothing and is answered with
 * 200 too: a client learns nothing about tokens that are not its own.
 */
export function revocation(deps: Dependencies): Middleware {
  return async (ctx) => {
    const token = ctx.state.params.require('token')
    if (looksLikeRefreshToken(token)) await revokeSession(deps, ctx, token)
    else await revokeAccessToken(deps, ctx, token)
    ctx.status = 200
    ctx.body = ''
  }
}

async function revokeSession(deps: Dependencies, ctx: Context, token: string): Promise<void> {
  const { families, revocations, audit } = deps
  const owner = await families.findByAnyGeneration(token)
  if (!owner) {
    ctx.state.facts.cause = 'session: the refresh token is unknown'
    return
  }
  if (owner.clientId !== ctx.state.client.id) return refuse(deps, ctx, { sid: owner.sid })
  await revocations.decide(async (change) => {
    const ended = await families.end(change, { sid: owner.sid }, 'token_revoked')
    if (ended.length > 0) {
      await audit.record({ event: 'session.revoked', ...owner, ip: ctx.state.ip }, change.trx)
    }
  })
}

async function revokeAccessToken(deps: Dependencies, ctx: Context, token: string): Promise<void> {
  const { verified, fault } = await deps.accessTokens.examine(token)
  if (!verified) {
    ctx.state.facts.cause = faultText(fault)
    return
  }
  const { jti, sid, client_id: clientId, exp } = verified.claims
  if (clientId !== ctx.state.client.id) return refuse(deps, ctx, { jti })
  if (await deps.accessTokens.isRevoked(verified)) return
  const expiresAt = later(new Date(exp * 1000), skewSeconds)
  const belongsTo = sid ?? clientId
  await deps.revocations.decide(async (change) => {
    const { trx, revoke } = change
    const singles = await deps.revocationLog.singlesOf(trx, belongsTo)
    if (sid !== undefined && singles >= maxOfSession && (await endSession(deps, ctx, change, sid)))
      return
    if (singles >= maxOfOthers) throw tooMany()
    await revoke({ kind: 'jti', value: jti, expiresAt, belongsTo })
    const detail = { jti }
    await deps.audit.record(
      { event: 'token.revoked', clientId, sid, ip: ctx.state.ip, detail },
      trx,
    )
  })
}

/** Ends a session whose tokens were revoked one by one: one entry then replaces all of theirs. */
async function endSession(
  { families, audit }: Dependencies,
  ctx: Context,
  change: Change,
  sid: string,
): Promise<boolean> {
  const ended = await families.end(change, { sid }, 'token_revoked')
  if (ended.length === 0) return false
  const { client, ip } = ctx.state
  const detail = { tokens: maxOfSession }
  await audit.record({ event: 'session.revoked', clientId: client.id, sid, ip, detail }, change.trx)
  return true
}

/** RFC 7009 §2.2.1: the token is still valid, and the client may try again. */
const tooMany = () =>
  new OAuthError(
    'temporarily_unavailable',
    'too many access tokens were revoked one by one, try again later',
    {
      headers: { 'retry-after': '60' },
    },
  )

/**
 * RFC 7009 §2.1: the token was issued to another client. Beyond a limit that is no longer audited, so that
 * nobody can flood the audit log; the answer stays the same, or it would reveal that the token is active.
 */
async function refuse(
  { audit, throttle }: Dependencies,
  ctx: Context,
  detail: Record<string, unknown>,
): Promise<void> {
  const { client, ip } = ctx.state
  ctx.state.facts.cause = 'owner: issued to another client'
  try {
    await throttle.countFailure('foreignRevocation', { client: client.id, ip })
  } catch (error) {
    if (error instanceof ThrottledError) return
    throw error
  }
  await audit.record({ event: 'token.revocation_refused', clientId: client.id, ip, detail })
}
