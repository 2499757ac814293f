import { z } from 'zod'
import { type Argon2Parameters, HashError, readHash } from '../passwords/hash-formats.ts'
import { noPassword } from '../passwords/passwords.ts'
import { newPersonId } from '../shard.ts'
import {
  emailColumns,
  isLocale,
  isRole,
  isUsername,
  localeRule,
  normalName,
  roleRule,
  type UserColumns,
  type UserRow,
  usernameColumns,
  usernameRule,
} from './user.ts'

/** One person as a line of JSON, as `users export` writes and `users import` reads it. */

/** An empty text of the other system is absent here. */
const text = z
  .string()
  .nullish()
  .transform((given) => (given ? normalName(given) || null : null))

const matching = (holds: (text: string) => boolean, message: string) =>
  text.refine((given) => given === null || holds(given), message)

const moment = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00Z' })
  .transform((given) => new Date(given))
  .refine((date) => date.getTime() >= 0, 'must not be before 1970')

/** Every column, and what other systems write instead of a time. */
type Member = keyof UserColumns | 'password_hash' | 'email_verified' | 'disabled'

const members = z.strictObject({
  id: z.uuid().toLowerCase().nullish(),
  username: matching(isUsername, `must be ${usernameRule}`),
  // Wider than for a registration: these people already receive mail there.
  email: matching(
    (given) => given.length <= 254 && /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]+$/u.test(given),
    'must be an email address',
  ),
  email_verified: z.boolean().nullish(),
  email_verified_at: moment.nullish(),
  full_name: matching(
    (given) => /^[^\p{Cc}\p{Cs}]{1,200}$/u.test(given),
    'must be 1 to 200 characters',
  ),
  locale: matching((given) => isLocale(given), `must be ${localeRule}`),
  roles: z
    .array(z.string().refine(isRole, `must be ${roleRule}`))
    .max(100)
    .nullish(),
  password_hash: z.string().min(1).nullish(),
  password_changed_at: moment.nullish(),
  must_change_password: z.boolean().nullish(),
  created_at: moment.nullish(),
  disabled: z.boolean().nullish(),
  disabled_at: moment.nullish(),
} satisfies Record<Member, z.ZodType>)

/** A person as a row of the table. */
export interface PersonRow extends UserRow {
  /** True if the line names the `id`. */
  readonly named: boolean
}

type ReadLine = { readonly row: PersonRow } | { readonly reason: string }

/** @returns the row, or all errors of the line in one sentence, which never quotes a value */
export function readPersonLine(json: string, now: Date, own: Argon2Parameters): ReadLine {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return { reason: 'is not JSON' }
  }
  const parsed = members.safeParse(value)
  if (!parsed.success) {
    const reasons = parsed.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.join('.')}: ${message}` : message,
    )
    return { reason: reasons.join('; ').slice(0, 500) }
  }
  const reason = contradiction(parsed.data) ?? whyHashRefused(parsed.data.password_hash, own)
  return reason === undefined ? { row: rowOf(parsed.data, now) } : { reason }
}

type Members = z.output<typeof members>

function contradiction(person: Members): string | undefined {
  const { username, email, email_verified, email_verified_at, disabled, disabled_at } = person
  if (username === null && email === null) return 'has neither a username nor an email'
  if (email === null && (email_verified || email_verified_at)) return 'has no email to be verified'
  if (email_verified === false && email_verified_at) return 'email_verified contradicts its time'
  if (disabled === false && disabled_at) return 'disabled contradicts its time'
  return undefined
}

function whyHashRefused(hash: string | null | undefined, own: Argon2Parameters) {
  try {
    if (hash && !isUnusable(hash)) readHash(hash, own)
    return undefined
  } catch (error) {
    if (error instanceof HashError) return error.message
    throw error
  }
}

/** Django writes `!` and a random text for a person without a usable password. */
const isUnusable = (hash: string): boolean => hash.startsWith('!')

/** A missing time is that of the account, and that of the account is the time of the import. */
function rowOf(person: Members, now: Date): PersonRow {
  const createdAt = person.created_at ?? now
  const hash = person.password_hash
  return {
    // Ordered by creation, as the ids of registered people are.
    id: person.id ?? newPersonId(createdAt),
    named: Boolean(person.id),
    ...usernameColumns(person.username),
    ...emailColumns(person.email),
    email_verified_at: person.email_verified_at ?? (person.email_verified ? createdAt : null),
    full_name: person.full_name,
    locale: person.locale,
    password_hash: hash && !isUnusable(hash) ? hash : noPassword,
    password_changed_at: person.password_changed_at ?? createdAt,
    must_change_password: person.must_change_password ?? false,
    roles: [...new Set(person.roles ?? [])],
    created_at: createdAt,
    disabled_at: person.disabled_at ?? (person.disabled ? now : null),
  }
}

/** The line that imports the same person again; without a hash for a person without a password. */
export function writePersonLine(row: UserRow): string {
  const line: Record<keyof Members, unknown> = {
    id: row.id,
    username: row.username ?? undefined,
    email: row.email ?? undefined,
    email_verified: row.email === null ? undefined : row.email_verified_at !== null,
    email_verified_at: row.email_verified_at ?? undefined,
    full_name: row.full_name ?? undefined,
    locale: row.locale ?? undefined,
    roles: row.roles,
    password_hash: row.password_hash === noPassword ? undefined : row.password_hash,
    password_changed_at: row.password_changed_at,
    must_change_password: row.must_change_password || undefined,
    created_at: row.created_at,
    disabled: row.disabled_at !== null || undefined,
    disabled_at: row.disabled_at ?? undefined,
  }
  return JSON.stringify(line)
}
