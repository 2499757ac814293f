import { z } from 'zod'
import { passwordAuthentication } from '../../authentication/authentication.ts'
import type { Now } from '../../clock.ts'
import type { SessionTokens } from '../../grants/session-tokens.ts'
import type { Passwords } from '../../passwords/passwords.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { Registration } from '../../users/registration.ts'
import { person, personOf } from '../../users/user.ts'
import { type Operation, operation } from '../operation.ts'
import { type FieldProblem, Problem } from '../problem.ts'
import type { ApiClients } from './api-clients.ts'
import { asFieldProblems } from './refusals.ts'
import {
  emailField,
  fullNameField,
  localeField,
  newPasswordField,
  tokenSet,
  usernameField,
} from './schemas.ts'

interface Dependencies {
  readonly registration: Registration
  readonly passwords: Passwords
  readonly sessionTokens: SessionTokens
  readonly apiClients: ApiClients
  readonly throttle: Throttle
  readonly now: Now
  readonly open: boolean
}

/** People register themselves. */
export const registrationOperations = (deps: Dependencies): Operation[] => [
  operation({
    method: 'post',
    path: '/api/v1/auth/register',
    tag: 'Registration',
    summary: 'Register; a link to verify the address is sent',
    access: 'public',
    body: z.strictObject({
      username: usernameField.optional(),
      email: emailField,
      password: newPasswordField,
      full_name: fullNameField.optional(),
      locale: localeField.optional(),
      client_id: z.string().max(100).optional(),
    }),
    alsoWrong: (body, ip) => wrongPassword(deps, body, ip),
    responses: {
      201: {
        description:
          'The person; the same answer when the address or the username is taken. With tokens where the app accepts unverified people.',
        schema: z.object({ person, tokens: tokenSet.optional() }),
      },
    },
    async handle({ body, ip, userAgent }) {
      if (!deps.open) throw new Problem('forbidden', { detail: 'Registration is closed.' })
      await deps.throttle.attempt('registration', { ip })
      await deps.throttle.attempt('registrationMail', { email: body.email })
      const session = await deps.apiClients.forSignIn(body.client_id, undefined)
      const { user, isNew } = await asFieldProblems(() =>
        deps.registration.register({
          username: body.username,
          email: body.email,
          fullName: body.full_name,
          locale: body.locale,
          password: body.password,
          ip,
        }),
      )
      const authentication = passwordAuthentication(user, deps.now(), { ip, userAgent })
      const tokens =
        isNew && session.client.letsUnverifiedIn
          ? await deps.sessionTokens.begin(authentication, session)
          : undefined
      return { status: 201, body: { person: personOf(user), tokens } }
    },
  }),
]

/** Checks the strength of the password apart from the schema: it takes time, so it is limited. */
async function wrongPassword(
  deps: Dependencies,
  body: unknown,
  ip: string,
): Promise<FieldProblem[]> {
  const given = z.object({ password: newPasswordField }).safeParse(body)
  if (!given.success || !deps.open) return []
  await deps.throttle.attempt('registration', { ip })
  using _admission = deps.passwords.enter(ip)
  const reasons = await deps.passwords.assess(given.data.password, [], ip)
  return reasons.map(({ sentence }) => ({ pointer: '/password', detail: sentence }))
}
