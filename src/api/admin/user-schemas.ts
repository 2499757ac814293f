import { z } from 'zod'
import { isRole, managedPerson, roleRule } from '../../users/user.ts'
import {
  emailField,
  fullNameField,
  localeField,
  newPasswordField,
  usernameField,
} from '../account/schemas.ts'

const roles = z.array(z.string().refine(isRole, `must be ${roleRule}`)).max(50)

/** Filter and position of a list of people. */
export const listQuery = z.strictObject({
  role: z.string().max(64).optional(),
  state: z.enum(['active', 'disabled', 'unverified']).optional(),
  text: z.string().min(1).max(200).optional().meta({
    description:
      'The beginning of a username or an address; with the index of docs/operations.md any part of them or of the full name',
  }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.uuid().optional().meta({ description: '`next` of the page before' }),
})

export const page = z.object({ users: z.array(managedPerson), next: z.uuid().nullable() })

export const newUser = z.strictObject({
  username: usernameField.optional(),
  email: emailField.optional(),
  email_verified: z.boolean().optional(),
  full_name: fullNameField.optional(),
  locale: localeField.optional(),
  password: newPasswordField.optional().meta({
    description: 'Absent: the person sets one with a password reset (ASVS 6.4.6)',
  }),
  roles: roles.optional(),
})

export const userChanges = z
  .strictObject({
    roles,
    disabled: z.boolean(),
    must_change_password: z.literal(true),
    end_sessions: z.literal(true),
    unlock: z.literal(true).meta({ description: 'Forgets the failed sign-ins' }),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'at least one change is required')
