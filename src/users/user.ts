import { OperatorError } from '../errors.ts'
import { foldIdentifier } from '../identifier.ts'

/** A person. */
export interface User {
  /** The `sub` of their tokens: never given to anybody else (ASVS 10.3.3). */
  readonly id: string
  readonly username: string | null
  readonly email: string | null
  /** null: the address is not proven. */
  readonly emailVerifiedAt: Date | null
  readonly fullName: string | null
  readonly roles: readonly string[]
  /** Signing in is refused until the password was reset. */
  readonly mustChangePassword: boolean
  readonly passwordChangedAt: Date
  readonly createdAt: Date
  readonly disabledAt: Date | null
}

export interface UserRow {
  id: string
  username: string | null
  /** Folded. null: without a username, or written by the release before this column. */
  username_key?: string | null
  email: string | null
  email_key?: string | null
  email_verified_at: Date | null
  full_name: string | null
  password_hash: string
  password_changed_at: Date
  must_change_password: boolean
  roles: string[]
  created_at: Date
  disabled_at: Date | null
}

export const userOf = (row: UserRow): User => ({
  id: row.id,
  username: row.username,
  email: row.email,
  emailVerifiedAt: row.email_verified_at,
  fullName: row.full_name,
  roles: row.roles,
  mustChangePassword: row.must_change_password,
  passwordChangedAt: row.password_changed_at,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
})

export const adminRole = 'admin'

/** A change of a person that cannot be made; the message says why. */
export class UserError extends OperatorError {
  override readonly name = 'UserError'
  readonly reason: UserRefusal

  constructor(reason: UserRefusal, message: string) {
    super(message)
    this.reason = reason
  }
}

export type UserRefusal = 'taken' | 'malformed' | 'unknown' | 'last_admin' | 'wrong_password'

/** No `@`, so that nobody's username is somebody else's e-mail address. */
export const isUsername = (text: string): boolean => /^[^\s@\p{C}]{1,200}$/u.test(text)

export const isRole = (text: string): boolean => /^[\w.:-]{1,64}$/.test(text)

/** SQLSTATE of a unique index that refuses. */
export const isTaken = (error: { readonly code?: unknown } | undefined): boolean =>
  error?.code === '23505'

/** A name as it is kept and shown: the spelling of the person. */
export const normalName = (text: string): string => text.normalize('NFKC').trim()

/** The columns of a username or an email address: as it is shown, and as it is found. */
export const usernameColumns = (username: string | null) => ({
  username,
  username_key: username === null ? null : foldIdentifier(username),
})

export const emailColumns = (email: string | null) => ({
  email,
  email_key: email === null ? null : foldIdentifier(email),
})

/** Whether two spellings are one address. */
export const isSameEmail = (one: string | null | undefined, other: string): boolean =>
  typeof one === 'string' && foldIdentifier(one) === foldIdentifier(other)
