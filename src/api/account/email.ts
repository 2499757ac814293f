import { z } from 'zod'
import type { Throttle } from '../../throttle/throttle.ts'
import { ThrottledError } from '../../throttle/throttled.ts'
import type { Credentials } from '../../users/credentials.ts'
import type { EmailAddresses } from '../../users/email-addresses.ts'
import { person, personOf, type User } from '../../users/user.ts'
import { type Operation, operation } from '../operation.ts'
import { invalidField, Problem } from '../problem.ts'
import { asFieldProblems, confirmed, countingWrongPasswords } from './refusals.ts'
import { accepted, emailField, linkTokenField, newPasswordField, passwordField } from './schemas.ts'

interface Dependencies {
  readonly emailAddresses: EmailAddresses
  readonly credentials: Credentials
  readonly throttle: Throttle
}

const confirmBody = z
  .strictObject({
    token: linkTokenField,
    password: passwordField
      .optional()
      .meta({ description: 'The password of the account, without a session' }),
    new_password: newPasswordField.optional().meta({
      description:
        'Instead: replaces the password of a registration and ends its sessions and API keys',
    }),
  })
  .refine(
    ({ password, new_password: newPassword }) =>
      !(password !== undefined && newPassword !== undefined),
    {
      message: 'send either password or new_password',
      path: ['new_password'],
    },
  )

/**
 * A link shows who reads an address; the password or a session shows who owns the account. Without the
 * second a stranger's password would count for the reader's address, and the reader of a mistyped
 * address would get the account (ASVS 6.3.7).
 * @returns undefined when the link cannot be used
 */
export async function verifyAddress(
  deps: Dependencies,
  { token, password, new_password: newPassword }: z.output<typeof confirmBody>,
  signedInAs: string | undefined,
  ip: string,
): Promise<User | undefined> {
  const { emailAddresses, credentials, throttle } = deps
  const link = await emailAddresses.linkOf(token)
  if (!link) return undefined
  const { user, isFirst } = link
  if (newPassword !== undefined) {
    if (!isFirst) throw invalidField('/new_password', 'This link only changes the address.')
    const count = (person: string) => throttle.attempt('linkPassword', { person })
    const set = () => credentials.reset(token, newPassword, ip, 'email_verification', count)
    return asFieldProblems(set, { password: '/new_password' })
  }
  if (password !== undefined) {
    if (!(await knowsPassword(deps, token, user, password, ip))) return undefined
  } else if (signedInAs !== user.id) {
    throw invalidField('/password', 'Enter the password of the account, or sign in first.')
  }
  return emailAddresses.confirm(token, ip, user)
}

/**
 * Counts wrong passwords by link and not by person: the reader of a mistyped address cannot guess for
 * long, nor keep the owner from confirming their own operations (ASVS 6.3.1).
 * @returns false after too many wrong passwords, when the link has been spent
 */
async function knowsPassword(
  { emailAddresses, throttle }: Dependencies,
  token: string,
  user: User,
  password: string,
  ip: string,
): Promise<boolean> {
  const check = () => emailAddresses.requirePassword(user.id, password, ip)
  try {
    await asFieldProblems(() =>
      countingWrongPasswords(throttle, 'linkConfirmation', { link: token }, check),
    )
    return true
  } catch (error) {
    if (!(error instanceof ThrottledError)) throw error
    await emailAddresses.spendGuessed(token, ip)
    return false
  }
}

/** Verifying an address and changing it. */
export const emailOperations = (deps: Dependencies): Operation[] => [
  requestLink(deps),
  confirmLink(deps),
  changeAddress(deps),
]

function requestLink({ emailAddresses, throttle }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/email/verification/request',
    tag: 'Email address',
    summary: 'Send the verification link again; without a body to your own address',
    access: 'optional',
    body: z.strictObject({ email: emailField }).optional(),
    responses: { 202: accepted },
    async handle({ body, person, ip }) {
      if (!body && !person) {
        throw new Problem('unauthenticated', {
          detail: 'Sign in, or send an email address.',
          headers: { 'www-authenticate': 'Bearer realm="signet"' },
        })
      }
      const email = body?.email ?? person?.user.email
      if (!email) throw new Problem('conflict', { detail: 'You have no email address.' })
      await throttle.attempt('verification', { person: email, ip })
      await emailAddresses.requestVerification(email, ip)
      return { status: 202 }
    },
  })
}

function confirmLink(deps: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/email/verification/confirm',
    tag: 'Email address',
    summary: 'Verify an address with the link, and with the password or a session',
    access: 'optional',
    body: confirmBody,
    responses: { 200: { description: 'The person', schema: person } },
    async handle({ body, person: caller, ip }) {
      const user = await verifyAddress(deps, body, caller?.user.id, ip)
      if (!user) {
        await deps.throttle.countFailure('oneTimeToken', { ip })
        throw new Problem('unusable-token')
      }
      return { status: 200, body: personOf(user) }
    },
  })
}

function changeAddress({ emailAddresses, throttle }: Dependencies): Operation {
  return operation({
    method: 'post',
    path: '/api/v1/auth/email/change',
    tag: 'Email address',
    summary: 'Send a link to a new address, which is used once the link was followed',
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
  })
}
