import { z } from 'zod'
import { emailField, linkTokenField, passwordField } from '../api/account/schemas.ts'
import { checked } from '../api/json.ts'
import type { FieldErrors } from './field-errors.ts'

export const noErrors: FieldErrors = {}

const request = z.object({ email: emailField })

/** The address that a link is asked for. */
export const checkedRequest = (fields: Readonly<Record<string, string>>) => checked(request, fields)

/** The policy words its own errors about a new password. */
const confirmation = z.object({
  token: linkTokenField,
  password: passwordField.optional(),
  new_password: passwordField.optional(),
})

/** The form of a link. */
export const checkedLink = (fields: Readonly<Record<string, string>>) =>
  checked(confirmation, fields)
