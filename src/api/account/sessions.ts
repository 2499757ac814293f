import { z } from 'zod'
import { describeDevice } from '../../device-names.ts'
import type { SessionTokens } from '../../grants/session-tokens.ts'
import { hasLeft } from '../../http/abandoned.ts'
import type { RefreshFamilies } from '../../sessions/refresh-families.ts'
import type { RefreshTokenCodec } from '../../sessions/refresh-token.ts'
import type { ListedSession } from '../../sessions/session.ts'
import type { UserSessions } from '../../users/user-sessions.ts'
import { type Operation, operation } from '../operation.ts'
import { Problem } from '../problem.ts'
import type { ApiClients } from './api-clients.ts'
import { type CookieMode, refreshPath } from './cookie-mode.ts'
import { done, idPath, tokenSet } from './schemas.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly userSessions: UserSessions
  readonly codec: RefreshTokenCodec
  readonly sessionTokens: SessionTokens
  readonly apiClients: ApiClients
  readonly cookieMode: CookieMode
}

const session = z
  .object({
    id: z.uuid(),
    current: z.boolean().meta({ description: 'The session of this request' }),
    client_id: z.string(),
    device: z.string().nullable().meta({ example: 'Firefox on Linux' }),
    ip: z.string().nullable().meta({ description: 'Where it began' }),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'Session' })

const sessionOf = (listed: ListedSession, currentSid: string): z.input<typeof session> => ({
  id: listed.sid,
  current: listed.sid === currentSid,
  client_id: listed.clientId,
  device: describeDevice(listed.userAgent),
  ip: listed.ip,
  created_at: listed.authTime.toISOString(),
  last_used_at: listed.lastUsedAt.toISOString(),
  expires_at: listed.expiresAt.toISOString(),
})

/** Refreshing, listing and ending sessions. */
export function sessionOperations(deps: Dependencies): Operation[] {
  return [refresh(deps), logout(deps), logoutAll(deps), list(deps), end(deps)]
}

function refresh(deps: Dependencies): Operation {
  const { codec, families, apiClients, sessionTokens, cookieMode } = deps
  return operation({
    method: 'post',
    path: refreshPath,
    tag: 'Sign-in',
    summary: 'New tokens for a refresh token, from the body or from the cookie',
    access: 'public',
    body: z.strictObject({ refresh_token: z.string().min(1).max(500).optional() }),
    responses: { 200: { description: 'Tokens, or cookies with them', schema: tokenSet } },
    async handle({ body, ctx, ip }) {
      const fromCookie = body.refresh_token === undefined ? cookieMode.refreshToken(ctx) : undefined
      if (fromCookie !== undefined) cookieMode.check(ctx)
      const token = body.refresh_token ?? fromCookie
      if (token === undefined)
        throw new Problem('unauthenticated', { detail: 'No refresh token was sent.' })
      const content = codec.decode(token)
      const owner = content && (await families.findByAnyGeneration(content))
      const client = owner && (await apiClients.forRefresh(owner.clientId))
      if (!client) throw signInAgain('no session of a client of this API')
      const refreshed = await sessionTokens.refresh({
        content,
        client,
        ip,
        hasLeft: () => hasLeft(ctx),
      })
      if ('refused' in refreshed) throw signInAgain(refreshed.refused)
      return fromCookie === undefined
        ? { status: 200, body: refreshed }
        : cookieMode.replyTokens(refreshed)
    },
  })
}

const signInAgain = (cause: unknown) =>
  new Problem('unauthenticated', { detail: 'The session has ended. Sign in again.', cause })

function logout({ userSessions, cookieMode }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/logout',
    tag: 'Sign-in',
    summary: 'End this session and its access tokens',
    access: 'person',
    responses: { 204: done },
    async handle({ person, ip }) {
      await userSessions.end(person.user.id, person.sid, ip)
      return { status: 204, cookies: cookieMode.cleared }
    },
  })
}

function logoutAll({ userSessions, cookieMode }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/logout/all',
    tag: 'Sign-in',
    summary: 'End all sessions, including this one',
    access: 'person',
    responses: { 200: { description: 'Done', schema: z.object({ sessions: z.int() }) } },
    async handle({ person, ip }) {
      const sessions = await userSessions.endAll(person.user.id, ip)
      return { status: 200, body: { sessions }, cookies: cookieMode.cleared }
    },
  })
}

function list({ families }: Dependencies): Operation {
  return operation({
    method: 'get',
    path: '/api/v1/auth/sessions',
    tag: 'Sessions',
    summary: 'Where you are signed in',
    access: 'person',
    responses: {
      200: { description: 'Newest first', schema: z.object({ sessions: z.array(session) }) },
    },
    async handle({ person }) {
      const listed = await families.list(person.user.id)
      return { status: 200, body: { sessions: listed.map((one) => sessionOf(one, person.sid)) } }
    },
  })
}

function end({ userSessions }: Dependencies): Operation {
  return operation({
    method: 'delete',
    path: '/api/v1/auth/sessions/{id}',
    tag: 'Sessions',
    summary: 'End a session of yours and its access tokens',
    access: 'person',
    pathParams: idPath,
    responses: { 204: done },
    async handle({ person, path, ip }) {
      if (!(await userSessions.end(person.user.id, path.id, ip))) throw new Problem('not-found')
      return { status: 204 }
    },
  })
}
