import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { foldIdentifier } from '../identifier.ts'

/**
 * One field of a person. The column, `User`, the JSON API, the data export and the columns of the import
 * follow from it; the compiler then asks person-line.ts and new-user.ts for their part.
 */
interface Field {
  readonly column: string
  /** Its member in the JSON API. */
  readonly name: string
  readonly json: z.ZodType
  /** Writes it for the JSON API. Its parameter is the type of the column. */
  readonly write: (value: never) => unknown
  /** Administrators see it, and people in the export of their data. */
  readonly isManaged?: boolean
}

const text = <const Column extends string>(column: Column) => ({
  column,
  name: column,
  json: z.string().nullable(),
  write: (value: string | null): string | null => value,
})

const moment = <const Column extends string>(column: Column) => ({
  column,
  name: column,
  json: z.iso.datetime(),
  write: (value: Date): string => value.toISOString(),
})

/** Every field of a person but the password and the keys that names are found by. */
const fields = {
  /** The `sub` of their tokens: never given to anybody else (ASVS 10.3.3). */
  id: {
    column: 'id',
    name: 'id',
    json: z.uuid().meta({ description: 'The `sub` of the person’s tokens' }),
    write: (value: string): string => value,
  },
  username: text('username'),
  email: text('email'),
  /** null: the address is not verified. */
  emailVerifiedAt: {
    column: 'email_verified_at',
    name: 'email_verified',
    json: z.boolean(),
    write: (value: Date | null): boolean => value !== null,
  },
  fullName: text('full_name'),
  /** BCP 47: the language of their pages and mails. */
  locale: text('locale'),
  roles: {
    column: 'roles',
    name: 'roles',
    json: z.array(z.string()),
    write: (value: readonly string[]): string[] => [...value],
  },
  createdAt: moment('created_at'),
  disabledAt: {
    column: 'disabled_at',
    name: 'disabled_at',
    json: z.iso.datetime().nullable(),
    write: (value: Date | null): string | null => value?.toISOString() ?? null,
    isManaged: true,
  },
  /** Sign-in is refused until the password was reset. */
  mustChangePassword: {
    column: 'must_change_password',
    name: 'must_change_password',
    json: z.boolean(),
    write: (value: boolean): boolean => value,
    isManaged: true,
  },
  passwordChangedAt: { ...moment('password_changed_at'), isManaged: true },
} as const satisfies Record<string, Field>

type Fields = typeof fields
type Key = keyof Fields
type ValueOf<K extends Key> = Parameters<Fields[K]['write']>[0]

/** A person. */
export type User = { readonly [K in Key]: ValueOf<K> }

/** The columns of the fields. */
export type UserColumns = { [K in Key as Fields[K]['column']]: ValueOf<K> }

export interface UserRow extends UserColumns {
  /** Folded. null: there is no username, or the release before this column wrote the row. */
  username_key?: string | null
  email_key?: string | null
  password_hash: string
}

const entries = Object.entries(fields) as [Key, Field][]

/** The columns that `userOf` reads. */
export const userColumns: readonly string[] = entries.map(([, { column }]) => column)

export const userOf = (row: UserRow): User =>
  Object.fromEntries(
    entries.map(([key, { column }]) => [key, row[column as keyof UserColumns]]),
  ) as unknown as User

type ManagedKey = { [K in Key]: Fields[K] extends { isManaged: true } ? K : never }[Key]
type JsonShape<K extends Key> = { [P in K as Fields[P]['name']]: Fields[P]['json'] }

const shapeOf = (seen: readonly [Key, Field][]) =>
  Object.fromEntries(seen.map(([, { name, json }]) => [name, json]))

const publicEntries = entries.filter(([, { isManaged }]) => !isManaged)

/** A person as the JSON API shows them to themselves. */
export const person = z
  .object(shapeOf(publicEntries) as JsonShape<Exclude<Key, ManagedKey>>)
  .meta({ id: 'Person' })

/** A person as the JSON API shows them to administrators. */
export const managedPerson = z
  .object(shapeOf(entries) as JsonShape<Key>)
  .meta({ id: 'ManagedPerson' })

const written = (user: User, seen: readonly [Key, Field][]) =>
  Object.fromEntries(seen.map(([key, { name, write }]) => [name, write(user[key] as never)]))

export const personOf = (user: User) => written(user, publicEntries) as z.input<typeof person>

export const managedPersonOf = (user: User) =>
  written(user, entries) as z.input<typeof managedPerson>

export const adminRole = 'admin'

/** A change of a person that is refused; the message says why. */
export class UserError extends OperatorError {
  override readonly name = 'UserError'
  readonly reason: UserRefusal

  constructor(reason: UserRefusal, message: string) {
    super(message)
    this.reason = reason
  }
}

type UserRefusal = 'taken' | 'malformed' | 'unknown' | 'last_admin' | 'wrong_password'

export const unknownUser = (): UserError => new UserError('unknown', 'There is no such user.')

export const usernameRule = '1 to 200 characters without spaces and @'

/** No `@`, so that no username is somebody's email address. */
export const isUsername = (name: string): boolean => /^[^\s@\p{C}]{1,200}$/u.test(name)

/** @throws UserError `malformed` */
export function checkUsername(name: string): void {
  if (!isUsername(name)) {
    throw new UserError('malformed', `A username must be ${usernameRule}.`)
  }
}

export const localeRule = 'a language tag such as en or pt-BR'

export const isLocale = (text: string): boolean => /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(text)

export const roleRule = '1 to 64 letters, digits or . _ : -'

export const isRole = (role: string): boolean => /^[\w.:-]{1,64}$/.test(role)

/** @throws UserError `malformed` */
export function checkRoles(roles: readonly string[]): void {
  if (!roles.every(isRole)) throw new UserError('malformed', `A role must be ${roleRule}.`)
}

/** True if a unique index refused a row: SQLSTATE 23505. */
export const isTaken = (error: { readonly code?: unknown } | undefined): boolean =>
  error?.code === '23505'

/** Normalizes a name for display (NFKC, trimmed) and keeps the person's spelling. */
export const normalName = (name: string): string => name.normalize('NFKC').trim()

/** The columns of a username: as it is shown, and as it is found. */
export const usernameColumns = (username: string | null) => ({
  username,
  username_key: username === null ? null : foldIdentifier(username),
})

/** The columns of an email address: as it is shown, and as it is found. */
export const emailColumns = (email: string | null) => ({
  email,
  email_key: email === null ? null : foldIdentifier(email),
})

/** True if two spellings are one address. */
export const isSameEmail = (one: string | null | undefined, other: string): boolean =>
  typeof one === 'string' && foldIdentifier(one) === foldIdentifier(other)
