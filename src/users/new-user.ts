import type { Knex } from 'knex'
import { newPersonId } from '../shard.ts'
import {
  checkRoles,
  checkUsername,
  emailColumns,
  normalName,
  type UserRow,
  usernameColumns,
} from './user.ts'

export interface NewUser {
  /** Random when absent. */
  readonly id?: string | undefined
  readonly username?: string | null | undefined
  readonly email?: string | null | undefined
  readonly emailVerified?: boolean | undefined
  readonly fullName?: string | null | undefined
  readonly locale?: string | null | undefined
  /** Absent: the person cannot sign in before they have reset it. */
  readonly password?: string | undefined
  readonly roles?: readonly string[] | undefined
  /** When the person is deleted unless they have verified their address. */
  readonly verifyBy?: Date | null | undefined
}

type NewUserRow = UserRow & { verify_by: Date | null }

/**
 * The row of a new person.
 * @throws UserError `malformed`
 */
export function newUserRow(input: NewUser, passwordHash: string, now: Date): NewUserRow {
  const username = typeof input.username === 'string' ? normalName(input.username) : null
  const roles = [...new Set(input.roles ?? [])]
  if (username !== null) checkUsername(username)
  checkRoles(roles)
  return {
    id: input.id ?? newPersonId(),
    ...usernameColumns(username),
    ...emailColumns(input.email ? normalName(input.email) : null),
    email_verified_at: input.email && input.emailVerified ? now : null,
    full_name: input.fullName?.trim() || null,
    locale: input.locale ?? null,
    password_hash: passwordHash,
    password_changed_at: now,
    must_change_password: false,
    roles,
    created_at: now,
    disabled_at: null,
    verify_by: input.verifyBy ?? null,
  }
}

/** @returns false when the username or the address is taken: the unique indexes decide */
export async function insertUser(trx: Knex.Transaction, row: NewUserRow): Promise<boolean> {
  const inserted = await trx('users').insert(row).onConflict().ignore().returning('id')
  return inserted.length > 0
}
