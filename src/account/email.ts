import { z } from 'zod'
import { type Operation, operation } from '../http/operation.ts'
import { Problem } from '../http/problem.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { EmailAddresses } from '../users/email-addresses.ts'
import { confirmed } from './confirmation.ts'
import { asFieldProblems } from './refusals.ts'
import { accepted, emailField, linkTokenField, passwordField, person, personOf } from './schemas.ts'

interface Rooms {
  readonly emailAddresses: EmailAddresses
  readonly throttle: Throttle
}

/** Proving an address and changing it. */
export const emailOperations = ({ emailAddresses, throttle }: Rooms): Operation[] => [
  operation({
    method: 'post',
    path: '/api/v1/auth/email/verification/request',
    tag: 'E-mail address',
    summary: 'Mail the link again that proves an address',
    access: 'public',
    body: z.strictObject({ email: emailField }),
    responses: { 202: accepted },
    async handle({ body, ip }) {
      await throttle.attempt('verification', { person: body.email, ip })
      await emailAddresses.requestVerification(body.email, ip)
      return { status: 202 }
    },
  }),
  operation({
    method: 'post',
    path: '/api/v1/auth/email/verification/confirm',
    tag: 'E-mail address',
    summary: 'Prove an address with the link; a new one becomes the person’s now',
    access: 'public',
    body: z.strictObject({ token: linkTokenField }),
    responses: { 200: { description: 'The person', schema: person } },
    async handle({ body, ip }) {
      await throttle.attempt('oneTimeToken', { ip })
      const user = await emailAddresses.confirm(body.token, ip)
      if (!user) throw new Problem('unusable-token')
      return { status: 200, body: personOf(user) }
    },
  }),
  operation({
    method: 'post',
    path: '/api/v1/auth/email/change',
    tag: 'E-mail address',
    summary: 'Mail a link to a new address; it counts when the link was followed',
    access: 'person',
    body: z.strictObject({ email: emailField, password: passwordField }),
    responses: { 202: accepted },
    async handle({ body, person: { user }, ip }) {
      await throttle.attempt('emailChange', { person: user.id })
      await asFieldProblems(() =>
        confirmed(throttle, user.id, () =>
          emailAddresses.requestChange(user, body.email, body.password, ip),
        ),
      )
      return { status: 202 }
    },
  }),
]
