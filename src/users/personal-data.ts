import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Outbox } from '../mail/outbox.ts'
import {
  isTaken,
  isUsername,
  normalName,
  type User,
  UserRefused,
  type UserRow,
  usernameColumns,
  userOf,
} from './user.ts'

interface Rooms {
  readonly db: Knex
  readonly audit: AuditTrail
  readonly outbox: Outbox
}

export interface ProfileChanges {
  readonly username?: string | undefined
  /** null takes it away. */
  readonly fullName?: string | null | undefined
}

/** What people change and take with them. */
export class PersonalData {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** @throws UserRefused `taken` or `malformed` */
  async change(id: string, { username, fullName }: ProfileChanges, ip: string): Promise<User> {
    const { db, audit, outbox } = this.#rooms
    // NFKC can make an `@` or a space of what was none.
    if (username !== undefined && !isUsername(normalName(username))) {
      throw new UserRefused('malformed', 'A username is 1 to 200 characters without spaces and @.')
    }
    const columns = {
      ...(username !== undefined && usernameColumns(normalName(username))),
      ...(fullName !== undefined && { full_name: fullName }),
    }
    return db
      .transaction(async (trx) => {
        const before: UserRow | undefined = await trx('users').where({ id }).forUpdate().first()
        if (!before) throw new UserRefused('unknown', 'There is no such user.')
        const fields = Object.keys(columns).filter(
          (column) => before[column as keyof UserRow] !== columns[column as keyof typeof columns],
        )
        if (fields.length === 0) return userOf(before)
        const [row]: UserRow[] = await trx('users').where({ id }).update(columns).returning('*')
        const detail = { fields: fields.filter((field) => field !== 'username_key') }
        await audit.record({ event: 'user.profile_changed', userId: id, ip, detail }, trx)
        if (fields.includes('username') && before.email) {
          const mail = { template: 'username_changed', to: before.email, userId: id } as const
          await outbox.put(trx, { ...mail, data: { ip, username } })
        }
        return userOf(row ?? before)
      })
      .catch((error) => {
        if (!isTaken(error)) throw error
        throw new UserRefused('taken', 'This username is taken.')
      })
  }

  /** All that is stored about a person, without what only proves things: no hash, no digest, no seed. */
  async export(id: string, ip: string) {
    const { db, audit } = this.#rooms
    await audit.record({ event: 'user.exported', userId: id, ip })
    const [user] = await db('users').where({ id }).select(userColumns)
    const { email_verified_at: verified, ...person } = user
    return plain({
      person: { ...person, email_verified: verified !== null },
      sessions: await db('refresh_families').where({ user_id: id }).select(sessionColumns),
      api_keys: await db('api_keys').where({ user_id: id }).select(apiKeyColumns),
      mails: await db('outgoing_mail').where({ user_id: id }).select(mailColumns),
      links: await db('one_time_tokens').where({ user_id: id }).select(linkColumns),
      audit_events: await db('audit_events')
        .where({ user_id: id })
        .orderBy('id', 'desc')
        .limit(10_000)
        .select('at', 'event', 'client_id', 'sid', 'ip', 'detail'),
    })
  }
}

const userColumns = [
  ...['id', 'username', 'email', 'email_verified_at', 'full_name', 'roles', 'created_at'],
  ...['disabled_at', 'must_change_password', 'password_changed_at'],
]
const sessionColumns = [
  ...['sid', 'client_id', 'scope', 'audience', 'auth_time', 'amr', 'rotated_at', 'ip'],
  ...['user_agent', 'idle_expires_at', 'expires_at', 'revoked_at', 'revoked_reason'],
]
const mailColumns = [
  ...['template', 'recipient', 'data', 'created_at', 'attempts', 'sent_at', 'given_up_at'],
]
const linkColumns = ['purpose', 'email', 'created_at', 'expires_at']
const apiKeyColumns = [
  ...['id', 'name', 'client_id', 'scope', 'audience', 'created_at', 'expires_at', 'last_used_at'],
]

/** Dates as text, as JSON has them. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value))
