import { z } from 'zod'
import type { SignedIn, SignIn } from '../../grants/sign-in.ts'
import type { Context } from '../../http/context.ts'
import { accessCookie, deviceCookie, readCookie } from '../../http/cookies.ts'
import type { RefreshFamilies } from '../../sessions/refresh-families.ts'
import type { AccessTokens } from '../../tokens/access-tokens.ts'
import type { UserSessions } from '../../users/user-sessions.ts'
import { type Operation, operation, type Reply } from '../operation.ts'
import { Problem } from '../problem.ts'
import type { ApiClients } from './api-clients.ts'
import type { CookieMode } from './cookie-mode.ts'
import { passwordField, tokenSet } from './schemas.ts'

interface Dependencies {
  readonly signIn: SignIn
  readonly apiClients: ApiClients
  readonly cookieMode: CookieMode
  readonly families: RefreshFamilies
  readonly accessTokens: AccessTokens
  readonly userSessions: UserSessions
}

const credentials = {
  password: passwordField,
  scope: z.string().max(1000).optional(),
  client_id: z.string().max(100).optional().meta({ description: '`account` when absent' }),
  device_token: z
    .string()
    .max(500)
    .optional()
    .meta({ description: 'From the last sign-in on this device' }),
}

const loginBody = z
  .strictObject({
    ...credentials,
    username: z.string().min(1).max(254).optional(),
    email: z.string().min(1).max(254).optional(),
    mode: z.enum(['tokens', 'cookies']).default('tokens'),
  })
  .refine(({ username, email }) => (username === undefined) !== (email === undefined), {
    message: 'send either username or email',
    path: ['username'],
  })

/** The form of generic tools: RFC 6749 §4.3.2. */
const loginForm = z.looseObject({
  ...credentials,
  grant_type: z.literal('password').optional(),
  username: z.string().min(1).max(254),
})

interface Login {
  identifier: string
  password: string
  scope?: string | undefined
  client_id?: string | undefined
  device_token?: string | undefined
}

const responses = { 200: { description: 'Tokens, or cookies with them', schema: tokenSet } }

/** Exchanges a password for tokens, or for cookies with tokens in them. */
export function loginOperations(deps: Dependencies): Operation[] {
  const { cookieMode } = deps
  return [
    operation({
      method: 'post',
      path: '/api/v1/auth/login',
      tag: 'Sign-in',
      summary: 'Sign in with a username or an email address',
      access: 'public',
      body: loginBody,
      responses,
      async handle({ body, ctx }) {
        const byCookie = body.mode === 'cookies'
        if (byCookie) cookieMode.check(ctx)
        const device = body.device_token ?? readCookie(ctx, deviceCookie)
        const identifier = body.username ?? body.email ?? ''
        const signedIn = await signInWith(deps, ctx, { ...body, identifier, device_token: device })
        if (!byCookie) return reply(signedIn)
        await endReplacedSessions(deps, ctx)
        return cookieMode.reply(signedIn)
      },
    }),
    operation({
      method: 'post',
      path: '/api/v1/auth/login/form',
      tag: 'Sign-in',
      summary: 'Sign in with the form of the OAuth 2 password grant, for generic tools',
      access: 'public',
      form: loginForm,
      responses,
      async handle({ form, ctx }) {
        return reply(await signInWith(deps, ctx, { ...form, identifier: form.username }))
      },
    }),
  ]
}

/** ASVS 7.2.4: the sessions in the replaced cookies end, also those of another person. */
async function endReplacedSessions(
  { cookieMode, families, accessTokens, userSessions }: Dependencies,
  ctx: Context,
) {
  const refresh = cookieMode.refreshToken(ctx)
  const owner = refresh === undefined ? undefined : await families.findByAnyGeneration(refresh)
  if (owner) await userSessions.end(owner.userId, owner.sid, ctx.state.ip)
  const access = readCookie(ctx, accessCookie)
  const { sid, sub } = (access && (await accessTokens.verify(access))?.claims) || {}
  if (sid && sub && sid !== owner?.sid) await userSessions.end(sub, sid, ctx.state.ip)
}

async function signInWith(
  { signIn, apiClients }: Dependencies,
  ctx: Context,
  login: Login,
): Promise<SignedIn> {
  const { client, scope, audience } = await apiClients.forSignIn(login.client_id, login.scope)
  ctx.state.facts.clientId = client.id
  const result = await signIn.withPassword({
    identifier: login.identifier,
    password: login.password,
    client,
    scope,
    audience,
    device: { ip: ctx.state.ip, userAgent: ctx.get('user-agent') || undefined },
    deviceToken: login.device_token,
  })
  if (!('refused' in result)) return result
  const types = {
    wrong_credentials: 'wrong-credentials',
    password_change_required: 'password-change-required',
  } as const
  throw new Problem(types[result.refused])
}

const reply = ({ tokens, deviceToken }: SignedIn): Reply => ({
  status: 200,
  body: { ...tokens, device_token: deviceToken },
})
