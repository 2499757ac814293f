import { z } from 'zod'
import type { Throttle } from '../../throttle/throttle.ts'
import { ThrottledError } from '../../throttle/throttled.ts'
import type { Credentials } from '../../users/credentials.ts'
import type { EmailAddresses } from '../../users/email-addresses.ts'
import { person, personOf, type User } from '../../users/user.ts'
import { type Operation, operation } from '../operation.ts'
import { invalidField, Problem } from '../problem.ts'
import { byPassword, confirmed } from './confirmation.ts'
import { asFieldProblems } from './refusals.ts'
import { accepted, emailField, linkTokenField, newPasswordField, passwordField } from './schemas.ts'

interface Dependencies {
  readonly emailAddresses: EmailAddresses
  readonly credentials: Credentials
  readonly throttle: Throttle
}

const confirmBody = z
  .strictObject({
    token: linkTokenField,
    password: passwordField.optional().meta({ description: 'Of the account, without a session' }),
    new_password: newPasswordField.optional().meta({
      description:
        'Instead: replaces the password of a registration and ends its sessions and keys',
    }),
  })
  .refine(
    ({ password, new_password: wanted }) => !(password !== undefined && wanted !== undefined),
    {
      message: 'give a password or a new one, one of them',
      path: ['new_password'],
    },
  )

/**
 * The link says who reads an address. Whose account it is says the password, or a session: otherwise
 * the password of a stranger would count for the address of its reader, and whoever reads a mistyped
 * address would get the account (ASVS 6.3.7).
 * @returns undefined when the link is not good
 */
async function verify(
  deps: Dependencies,
  { token, password, new_password: wanted }: z.output<typeof confirmBody>,
  signedInAs: string | undefined,
  ip: string,
): Promise<User | undefined> {
  const { emailAddresses, credentials, throttle } = deps
  const link = await emailAddresses.linkOf(token)
  if (!link) return undefined
  const { user, isFirst } = link
  if (wanted !== undefined) {
    if (!isFirst) throw invalidField('/new_password', 'This link changes the address only.')
    const count = (person: string) => throttle.attempt('linkPassword', { person })
    const set = () => credentials.reset(token, wanted, ip, 'email_verification', count)
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
 * Counted by the link and not by the person: whoever reads a mistyped address cannot guess on, nor keep
 * the owner from confirming what they do with their password (ASVS 6.3.1).
 * @returns false when the link is spent, after too many wrong ones
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
    await asFieldProblems(() => byPassword(throttle, 'linkConfirmation', { link: token }, check))
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
    tag: 'E-mail address',
    summary: 'Mail the link again that verifies an address; without a body your own',
    access: 'optional',
    body: z.strictObject({ email: emailField }).optional(),
    responses: { 202: accepted },
    async handle({ body, person, ip }) {
      if (!body && !person) {
        throw new Problem('unauthenticated', {
          detail: 'sign in, or send an email',
          headers: { 'www-authenticate': 'Bearer realm="signet"' },
        })
      }
      const email = body?.email ?? person?.user.email
      if (!email) throw new Problem('conflict', { detail: 'you have no email address' })
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
    tag: 'E-mail address',
    summary: 'Verify an address with the link and the password, or as the person who is signed in',
    access: 'optional',
    body: confirmBody,
    responses: { 200: { description: 'The person', schema: person } },
    async handle({ body, person: asking, ip }) {
      const user = await verify(deps, body, asking?.user.id, ip)
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
  })
}
