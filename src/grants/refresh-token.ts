import type { Client } from '../clients/client.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope } from '../oauth/scope.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { RefreshRotation } from '../sessions/refresh-rotation.ts'
import type { Session } from '../sessions/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { type Grant, type Lifetimes, lifetimesOf, tokenResponse } from './grant.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly rotation: RefreshRotation
  readonly accessTokens: AccessTokens
  readonly keyring: LiveKeyring
  readonly metrics: Metrics
  readonly lifetimes: Lifetimes
}

/** RFC 6749 §6, with the rotation that RFC 9700 §4.14.2 asks for. */
export function refreshToken(deps: Dependencies): Grant {
  const { families, rotation, accessTokens, keyring, metrics, lifetimes } = deps
  return {
    type: 'refresh_token',
    async exchange(client, params, { ip, hasLeft }) {
      const presented = params.require('refresh_token')
      if (narrows(params)) {
        // A wish that cannot be met is refused before the token is spent on it.
        const session = await families.find(presented)
        if (session?.clientId === client.id) grantable(session, client, params)
      }
      const own = lifetimesOf(client, lifetimes)
      const presenter = { clientId: client.id, idleSeconds: own.sessionIdleSeconds, ip, hasLeft }
      // Before the token is spent: without a signing key nobody could be answered.
      await keyring.freshen()
      const rotated = await rotation.rotate(presented, presenter)
      metrics.refreshes.inc({ outcome: rotated.outcome })
      if (!('session' in rotated)) throw refused(rotated.outcome)

      const { session, roles } = rotated
      const { scope, audience } = grantable(session, client, params)
      const { sid, authTime, amr } = session
      const token = await accessTokens
        .issue({
          subject: session.userId,
          clientId: client.id,
          audience,
          scope,
          seconds: own.accessTokenSeconds,
          person: { sid, authTime, amr, roles },
        })
        .catch((error) => {
          if (!(error instanceof OAuthError)) rotation.noteUnanswered(rotated)
          throw error
        })
      return tokenResponse(token, scope, rotated.token)
    },
  }
}

const narrows = (params: Params): boolean =>
  ['scope', 'resource', 'audience'].some((name) => params.has(name))

/**
 * The access token may be narrower than the session, whose scope stays what it was (§6). What the
 * client itself has lost since the sign-in is left out.
 */
function grantable(session: Session, client: Client, params: Params) {
  const scopes = session.scope.filter((scope) => client.scopes.includes(scope))
  const audiences = session.audience.filter((audience) => client.audiences.includes(audience))
  if (audiences.length === 0) throw refused('the client lost the audience')
  return {
    scope: narrowScope(params.get('scope'), scopes),
    audience: chooseAudience(params, audiences, audiences),
  }
}

/** One answer for every reason: whoever holds a stolen token learns nothing from it. */
const refused = (cause: string) =>
  new OAuthError('invalid_grant', 'the refresh token is not valid', { cause })
