import { z } from 'zod'
import { assessLength } from '../../passwords/password-policy.ts'
import type { User } from '../../users/user.ts'
import { isUsername } from '../../users/user.ts'

/** The words of the JSON API: what it takes and what it gives. */

const hasNoControls = (text: string) => !/\p{C}/u.test(text)

export const emailField = z
  .string()
  .trim()
  .max(254)
  .pipe(z.email({ error: 'is not an e-mail address' }))
  .meta({ description: 'Counts once it is proven', example: 'ada@example.org' })

export const usernameField = z
  .string()
  // What NFKC makes of it is what is kept: it can make an `@` of what was none.
  .normalize('NFKC')
  .trim()
  .refine(isUsername, 'is 1 to 200 characters without spaces and @')
  .meta({ example: 'ada' })

export const fullNameField = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine(hasNoControls, 'holds a control character')
  .meta({ example: 'Ada Lovelace' })

/** Presented to be checked: any string, and never shown again. */
export const passwordField = z.string().min(1).max(1024).meta({ format: 'password' })

/** Wished for: the rules of passwords.ts decide. */
export const newPasswordField = passwordField
  // Here already, so that it is named together with what else is wrong.
  .superRefine((password, context) => {
    const wrong = assessLength(password)
    if (wrong) context.addIssue({ code: 'custom', message: wrong.sentence })
  })
  .meta({
    format: 'password',
    description: '8 to 128 characters of any kind; refused when it can be guessed',
  })

export const linkTokenField = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'From the link in the mail' })

export const idPath = z.strictObject({ id: z.uuid() })

const moment = z.iso.datetime()
const maybeMoment = moment.nullable()

export const person = z
  .object({
    id: z.uuid().meta({ description: 'The `sub` of the person’s tokens' }),
    username: z.string().nullable(),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    full_name: z.string().nullable(),
    roles: z.array(z.string()),
    created_at: moment,
  })
  .meta({ id: 'Person' })

/** What administrators see beside it. */
export const managedPerson = person
  .extend({
    disabled_at: maybeMoment,
    must_change_password: z.boolean(),
    password_changed_at: moment,
  })
  .meta({ id: 'ManagedPerson' })

export const personOf = (user: User): z.input<typeof person> => ({
  id: user.id,
  username: user.username,
  email: user.email,
  email_verified: user.emailVerifiedAt !== null,
  full_name: user.fullName,
  roles: [...user.roles],
  created_at: user.createdAt.toISOString(),
})

export const managedPersonOf = (user: User): z.input<typeof managedPerson> => ({
  ...personOf(user),
  disabled_at: user.disabledAt?.toISOString() ?? null,
  must_change_password: user.mustChangePassword,
  password_changed_at: user.passwordChangedAt.toISOString(),
})

/** RFC 6749 §5.1, and a device token that keeps a stranger's guessing from locking this device out. */
export const tokenSet = z
  .object({
    access_token: z.string().optional(),
    token_type: z.literal('Bearer').optional(),
    expires_in: z.int().meta({ description: 'Seconds' }),
    scope: z.string(),
    refresh_token: z.string().optional(),
    device_token: z.string().optional(),
  })
  .meta({ id: 'TokenSet', description: 'In cookie mode the tokens are in cookies and not here' })

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

/** Described once, answered by the error boundary. */
export const done = { description: 'Done' }
export const accepted = {
  description: 'Accepted; the same answer whether the address is known or not',
}
