import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import {
  emailColumns,
  isRole,
  isUsername,
  normalName,
  type User,
  UserError,
  type UserRow,
  usernameColumns,
  userOf,
} from './user.ts'

export interface NewUser {
  readonly username?: string | null | undefined
  readonly email?: string | null | undefined
  readonly emailVerified?: boolean | undefined
  readonly fullName?: string | null | undefined
  /** Absent: nobody can sign in until the person has reset it. */
  readonly password?: string | undefined
  readonly roles?: readonly string[] | undefined
  /** When the person is deleted unless their address was verified by then. */
  readonly verifyBy?: Date | null | undefined
}

/**
 * Adds a person.
 * @returns undefined when the username or the address is taken: the unique indexes decide
 * @throws UserRefused when a name is malformed
 */
export async function insertUser(
  trx: Knex.Transaction,
  input: NewUser,
  passwordHash: string,
  now: Date,
): Promise<User | undefined> {
  const username = typeof input.username === 'string' ? normalName(input.username) : null
  const roles = [...new Set(input.roles ?? [])]
  if (username !== null && !isUsername(username)) {
    throw new UserError('malformed', 'A username is 1 to 200 characters without spaces and @.')
  }
  if (!roles.every(isRole)) {
    throw new UserError('malformed', 'A role is 1 to 64 letters, digits or . _ : -')
  }
  const [row]: UserRow[] = await trx('users')
    .insert({
      id: uuidv7(),
      ...usernameColumns(username),
      ...emailColumns(input.email ? normalName(input.email) : null),
      email_verified_at: input.email && input.emailVerified ? now : null,
      full_name: input.fullName?.trim() || null,
      password_hash: passwordHash,
      password_changed_at: now,
      roles,
      created_at: now,
      verify_by: input.verifyBy ?? null,
    })
    .onConflict()
    .ignore()
    .returning('*')
  return row && userOf(row)
}
