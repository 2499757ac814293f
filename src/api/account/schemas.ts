import { z } from 'zod'
import { closestLanguage, languageCodes } from '../../languages.ts'
import { assessLength } from '../../passwords/password-policy.ts'
import { isLocale, isUsername, usernameRule } from '../../users/user.ts'

/** Fields of requests and answers of the JSON API. */

const hasNoControls = (text: string) => !/\p{C}/u.test(text)

export const emailField = z
  .string()
  .trim()
  .max(254)
  .pipe(z.email({ error: 'must be an email address' }))
  .meta({ description: 'Used once it is verified', example: 'ada@example.org' })

export const usernameField = z
  .string()
  // Stored in NFKC, which can turn another character into an `@`.
  .normalize('NFKC')
  .trim()
  .refine(isUsername, `must be ${usernameRule}`)
  .meta({ example: 'ada' })

export const fullNameField = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine(hasNoControls, 'must not contain control characters')
  .meta({ example: 'Ada Lovelace' })

export const localeField = z
  .string()
  .refine(
    (tag) => isLocale(tag) && closestLanguage(tag) !== undefined,
    `must be one of the languages ${languageCodes.join(', ')}, with or without a region`,
  )
  .meta({ description: 'The language of pages and mails: a BCP 47 tag', example: 'pt-BR' })

/** A password to be checked: any string. */
export const passwordField = z.string().min(1).max(1024).meta({ format: 'password' })

/** A new password: the rules of passwords/ apply. */
export const newPasswordField = passwordField
  // Checked here too, so that one answer lists it with all other errors.
  .superRefine((password, context) => {
    const wrong = assessLength(password)
    if (wrong) context.addIssue({ code: 'custom', message: wrong.sentence })
  })
  .meta({
    format: 'password',
    description: '8 to 128 characters of any kind; refused when it is easy to guess',
  })

export const linkTokenField = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'From the link in the mail' })

export const idPath = z.strictObject({ id: z.uuid() })

/** RFC 6749 §5.1, with a device token: strangers who guess passwords do not lock out this device. */
export const tokenSet = z
  .object({
    access_token: z.string().optional(),
    token_type: z.literal('Bearer').optional(),
    expires_in: z.int().meta({ description: 'Seconds' }),
    scope: z.string(),
    refresh_token: z.string().optional(),
    device_token: z.string().optional(),
  })
  .meta({ id: 'TokenSet', description: 'In cookie mode the tokens are in cookies instead' })

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

export const done = { description: 'Done' }
export const accepted = {
  description: 'Accepted; the same answer for known and unknown addresses',
}
