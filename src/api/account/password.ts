import { z } from 'zod'
import type { GuessLimiter } from '../../authentication/guess-limiter.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { Credentials } from '../../users/credentials.ts'
import { type Operation, operation } from '../operation.ts'
import { Problem } from '../problem.ts'
import { asFieldProblems, confirmed } from './refusals.ts'
import { accepted, emailField, linkTokenField, newPasswordField, passwordField } from './schemas.ts'

interface Dependencies {
  readonly credentials: Credentials
  readonly throttle: Throttle
  readonly guesses: GuessLimiter
}

/** Changing a known password, and resetting a forgotten one. */
export const passwordOperations = (deps: Dependencies): Operation[] => [
  change(deps),
  requestReset(deps),
  confirmReset(deps),
]

function change({ credentials, throttle }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/password/change',
    tag: 'Password',
    summary: 'Change the password; the other sessions and all API keys end',
    access: 'person',
    body: z.strictObject({
      current_password: passwordField,
      new_password: newPasswordField,
      keep_api_keys: z.boolean().default(false),
    }),
    responses: {
      200: {
        description: 'Done',
        schema: z.object({ ended_sessions: z.int(), ended_api_keys: z.int() }),
      },
    },
    async handle({ body, person, ip }) {
      const passwords = {
        current: body.current_password,
        next: body.new_password,
        keepKeys: body.keep_api_keys,
      }
      const { sessions, apiKeys } = await asFieldProblems(
        () =>
          confirmed(throttle, person.user.id, () =>
            credentials.change(person.user, passwords, {
              keep: { sid: person.sid },
              ip,
              onConfirmed: () => throttle.attempt('passwordChange', { person: person.user.id }),
            }),
          ),
        { password: '/new_password', current: '/current_password' },
      )
      return { status: 200, body: { ended_sessions: sessions, ended_api_keys: apiKeys } }
    },
  })
}

function requestReset({ credentials, throttle }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/password/reset/request',
    tag: 'Password',
    summary: 'Send a link to set a new password',
    access: 'public',
    body: z.strictObject({ email: emailField }),
    responses: { 202: accepted },
    async handle({ body, ip }) {
      await throttle.attempt('passwordReset', { email: body.email, ip })
      await credentials.requestReset(body.email, ip)
      return { status: 202 }
    },
  })
}

function confirmReset({ credentials, throttle, guesses }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/password/reset/confirm',
    tag: 'Password',
    summary: 'Set a new password with a link; all sessions end',
    access: 'public',
    body: z.strictObject({ token: linkTokenField, new_password: newPasswordField }),
    responses: {
      200: {
        description: 'Done; sign in with the new password',
        schema: z.object({
          device_token: z.string().meta({
            description:
              'For the next sign-in, so that strangers who guess passwords do not delay it',
          }),
        }),
      },
    },
    async handle({ body, ip }) {
      const count = (person: string) => throttle.attempt('linkPassword', { person })
      const user = await asFieldProblems(
        () => credentials.reset(body.token, body.new_password, ip, 'password_reset', count),
        { password: '/new_password' },
      )
      if (!user) {
        await throttle.countFailure('oneTimeToken', { ip })
        throw new Problem('unusable-token')
      }
      return { status: 200, body: { device_token: guesses.deviceTokenFor(user.id) } }
    },
  })
}
