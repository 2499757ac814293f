import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Outbox } from '../mail/outbox.ts'
import {
  checkUsername,
  isTaken,
  managedPersonOf,
  normalName,
  type User,
  UserError,
  type UserRow,
  unknownUser,
  userColumns,
  usernameColumns,
  userOf,
} from './user.ts'

interface Dependencies {
  readonly db: Knex
  readonly audit: AuditTrail
  readonly outbox: Outbox
}

interface ProfileChanges {
  readonly username?: string | undefined
  /** null removes it. */
  readonly fullName?: string | null | undefined
  /** BCP 47; null: that of the browser. */
  readonly locale?: string | null | undefined
}

/** People change their profile and export their data. */
export class PersonalData {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @throws UserError `taken` or `malformed` */
  async change(
    id: string,
    { username, fullName, locale }: ProfileChanges,
    ip: string,
  ): Promise<User> {
    const { db, audit, outbox } = this.#deps
    // Normalized first: NFKC can turn another character into an `@` or a space.
    if (username !== undefined) checkUsername(normalName(username))
    const columns = {
      ...(username !== undefined && usernameColumns(normalName(username))),
      ...(fullName !== undefined && { full_name: fullName }),
      ...(locale !== undefined && { locale }),
    }
    return db
      .transaction(async (trx) => {
        const before: UserRow | undefined = await trx('users').where({ id }).forUpdate().first()
        if (!before) throw unknownUser()
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
        throw new UserError('taken', 'This username is taken.')
      })
  }

  /**
   * Everything that is stored about a person, except hashes, digests and seeds. Lists are read lazily,
   * a page at a time, and no connection is held between pages.
   */
  async export(id: string, ip: string) {
    const { db, audit } = this.#deps
    await audit.record({ event: 'user.exported', userId: id, ip })
    const user: UserRow = await db('users')
      .where({ id })
      .first([...userColumns])
    const lists: Record<string, () => AsyncIterable<object[]>> = {
      sessions: () => this.#rowsOf('refresh_families', 'sid', id, sessionColumns),
      browser_sessions: () => this.#rowsOf('browser_sessions', 'id', id, browserSessionColumns),
      consents: () => this.#consentsOf(id),
      api_keys: () => this.#rowsOf('api_keys', 'id', id, apiKeyColumns),
      mails: () => this.#rowsOf('outgoing_mail', 'id', id, mailColumns),
      links: () => this.#rowsOf('one_time_tokens', 'digest', id, linkColumns),
      audit_events: () => this.#eventsOf(id),
    }
    return { person: managedPersonOf(userOf(user)), lists }
  }

  /** Reads all keys first: sorting the rows by them for every page would read the whole list each time. */
  async *#rowsOf(table: string, key: string, userId: string, columns: readonly string[]) {
    const { db } = this.#deps
    const keys = await db(table).where({ user_id: userId }).pluck(key)
    for (let from = 0; from < keys.length; from += rowsPerPage) {
      const page: object[] = await db(table)
        .whereIn(key, keys.slice(from, from + rowsPerPage))
        .select([...columns])
      yield page
    }
  }

  /** One page: a person has no more of them than there are clients. */
  async *#consentsOf(userId: string) {
    const consents: object[] = await this.#deps
      .db('consents')
      .where({ user_id: userId })
      .select('client_id', 'scopes', 'granted_at')
    yield consents
  }

  /** Newest first. Compares pairs in the order of their index, so that the planner uses that index. */
  async *#eventsOf(userId: string) {
    const { db } = this.#deps
    let before = '9223372036854775807'
    for (;;) {
      const page: { id: string }[] = await db('audit_events')
        .whereRaw('(user_id, id) < (?::uuid, ?::bigint) AND user_id >= ?', [userId, before, userId])
        .orderBy([
          { column: 'user_id', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
        .limit(rowsPerPage)
        .select('id', 'at', 'event', 'client_id', 'sid', 'ip', 'detail')
      yield page.map(({ id: _, ...event }) => event)
      if (page.length < rowsPerPage) return
      before = page.at(-1)?.id ?? before
    }
  }
}

const rowsPerPage = 500

const sessionColumns = [
  'sid',
  'client_id',
  'scope',
  'audience',
  'auth_time',
  'amr',
  'rotated_at',
  'ip',
  'user_agent',
  'idle_expires_at',
  'expires_at',
  'revoked_at',
  'revoked_reason',
]
const browserSessionColumns = [
  'id',
  'created_at',
  'auth_time',
  'amr',
  'acr',
  'remembered',
  'ip',
  'user_agent',
  'idle_expires_at',
  'expires_at',
  'revoked_at',
  'revoked_reason',
]
const mailColumns = [
  'template',
  'recipient',
  'data',
  'created_at',
  'attempts',
  'sent_at',
  'given_up_at',
]
const linkColumns = ['purpose', 'email', 'created_at', 'expires_at']
const apiKeyColumns = [
  'id',
  'name',
  'client_id',
  'scope',
  'audience',
  'created_at',
  'expires_at',
  'last_used_at',
]
