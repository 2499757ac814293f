import type { Knex } from 'knex'
import { type Actor, type AuditTrail, byActor } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import { foldIdentifier } from '../identifier.ts'
import { noPassword, type Passwords } from '../passwords/passwords.ts'
import type { Db } from '../stores/postgres.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { insertUser, type NewUser, newUserRow } from './new-user.ts'
import { normalName, type User, UserError, type UserRow, userColumns, userOf } from './user.ts'

/** A person who may be signing in, before anything is verified. */
export interface Candidate {
  readonly user: User
  readonly passwordHash: string
}

/** Which people to list. */
interface UserFilter {
  readonly role?: string | undefined
  readonly state?: 'active' | 'disabled' | 'unverified' | undefined
  /** The beginning of a username or an address; with the index also a part of them or of the full name. */
  readonly text?: string | undefined
}

/** Columns by name: a prepared statement must keep its result type when a column is added. */
const identifiedBy = (column: 'username' | 'email') =>
  statement(
    `person_by_${column}`,
    `SELECT ${userColumns.join(', ')}, password_hash
       FROM users WHERE ${column}_key = $1 OR lower(${column}) IN ($1, lower($2))`,
  )

/** A row of the release before has no key, or the key of a name that was changed since: see ADR 28. */
function withKey(column: 'username' | 'email', rows: readonly UserRow[], key: string) {
  return rows.find((row) => foldIdentifier(row[column] ?? '') === key)
}

const byUsername = identifiedBy('username')
const byEmail = identifiedBy('email')

interface Dependencies {
  readonly db: Knex
  readonly statements: Statements
  readonly passwords: Passwords
  readonly audit: AuditTrail
  readonly now: Now
  readonly partsOfNames?: RegExp | undefined
}

/** Beyond this a count is an estimate. */
const exactCount = 10_000

/** The table of people. */
export class Users {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Finds the person with this username or email address. */
  async candidate(identifier: string): Promise<Candidate | undefined> {
    const row = await this.#identified(identifier)
    return row && { user: userOf(row), passwordHash: row.password_hash }
  }

  /**
   * Checks a password. Unknown, disabled and wrong take the same time, so the password of a disabled
   * person is checked as well.
   * @param ip the caller, so that all addresses are served in turn
   * @returns undefined unless the password is right and the person is enabled
   */
  async authenticate(
    candidate: Candidate | undefined,
    password: string,
    ip?: string,
  ): Promise<User | undefined> {
    const { passwords } = this.#deps
    const matches = await passwords.matches(password, candidate?.passwordHash, ip)
    if (!candidate || !matches || candidate.user.disabledAt) return undefined
    if (passwords.isOutdated(candidate.passwordHash)) await this.#renewHash(candidate, password, ip)
    return candidate.user
  }

  /**
   * Asks a person who has signed in for their password again.
   * @throws UserError `wrong_password`
   * @throws OverloadedError before anything is looked up
   */
  async requirePassword(
    id: string,
    password: string,
    { ip, message = 'The password is wrong.' }: { ip?: string | undefined; message?: string } = {},
  ): Promise<void> {
    const { db, passwords } = this.#deps
    using _admission = passwords.enter(ip)
    const row = await db<UserRow>('users').where({ id }).first()
    const isRight = await passwords.matches(password, row?.password_hash, ip)
    if (!isRight) throw new UserError('wrong_password', message)
  }

  /**
   * Adds a person.
   * @throws UserError when a name is taken or malformed
   * @throws PasswordError when the policy refuses the password
   */
  async create(input: NewUser, actor: Actor = {}): Promise<User> {
    const personal = [input.username, input.email, input.fullName]
    const passwordHash =
      input.password === undefined
        ? noPassword
        : await this.#deps.passwords.hash(
            input.password,
            personal.filter((text) => typeof text === 'string'),
            actor.ip,
          )
    return this.#deps.db.transaction(async (trx) => {
      const row = newUserRow(input, passwordHash, this.#deps.now())
      if (!(await insertUser(trx, row))) {
        throw new UserError('taken', `There is already a user ${input.username ?? input.email}.`)
      }
      const { ip } = actor
      const detail = byActor(actor)
      await this.#deps.audit.record({ event: 'user.created', userId: row.id, ip, detail }, trx)
      return userOf(row)
    })
  }

  async find(id: string, db: Db = this.#deps.db): Promise<User | undefined> {
    const row = await db<UserRow>('users').where({ id }).first()
    return row && userOf(row)
  }

  async findByEmail(email: string, db: Db = this.#deps.db): Promise<User | undefined> {
    const key = foldIdentifier(email)
    const rows: UserRow[] = await db('users').whereRaw(
      'email_key = ? OR lower(email) IN (?, lower(?))',
      [key, key, normalName(email)],
    )
    const row = withKey('email', rows, key)
    return row && userOf(row)
  }

  /** By username, address or id: for the command line. */
  async findAny(identifier: string): Promise<User | undefined> {
    const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(identifier)
    if (isId) return this.find(identifier)
    const row = await this.#identified(identifier)
    return row && userOf(row)
  }

  /** Newest first; `after` is the last id of the page before. */
  async page(filter: UserFilter, limit: number, after?: string): Promise<User[]> {
    const query = this.#filtered(filter).orderBy('id', 'desc').limit(limit)
    const rows: UserRow[] = await (after === undefined ? query : query.where('id', '<', after))
    return rows.map(userOf)
  }

  /** Exact up to 10,000, and beyond that PostgreSQL's estimate: counting would read the whole table. */
  async count(filter: UserFilter): Promise<number> {
    const { db } = this.#deps
    const some = this.#filtered(filter)
      .orderBy('id')
      .limit(exactCount + 1)
      .as('some')
    const [row] = await db.from(some).count({ count: '*' })
    const count = Number(row?.count)
    if (count <= exactCount) return count
    const { sql, bindings } = this.#filtered(filter).toSQL()
    const { rows } = await db.raw(`EXPLAIN (FORMAT JSON) ${sql}`, bindings)
    return Math.max(exactCount, Math.round(rows[0]['QUERY PLAN'][0].Plan['Plan Rows']))
  }

  #filtered({ role, state, text }: UserFilter) {
    const query = this.#deps.db<UserRow>('users').select('*')
    if (role !== undefined) query.whereRaw(`roles @> ARRAY[?]::text[] AND roles <> '{}'`, [role])
    if (state === 'disabled') query.whereNotNull('disabled_at')
    if (state === 'active') query.whereNull('disabled_at')
    if (state === 'unverified') query.whereNull('email_verified_at').whereNotNull('email')
    if (text !== undefined) withText(query, text, this.#deps.partsOfNames)
    return query
  }

  async #identified(identifier: string): Promise<UserRow | undefined> {
    const key = foldIdentifier(identifier)
    const column = key.includes('@') ? 'email' : 'username'
    const identified = column === 'email' ? byEmail : byUsername
    const names = [key, normalName(identifier)]
    const row = withKey(column, await this.#deps.statements.run<UserRow>(identified, names), key)
    // A name is compared as it was typed, not trimmed.
    return identifier.normalize('NFKC') === names[1] ? row : undefined
  }

  /** Replaces an outdated hash, unless the password was changed meanwhile. */
  async #renewHash(
    { user, passwordHash }: Candidate,
    password: string,
    ip: string | undefined,
  ): Promise<void> {
    await this.#deps
      .db('users')
      .where({ id: user.id, password_hash: passwordHash })
      .update({ password_hash: await this.#deps.passwords.renew(password, ip) })
  }
}

/**
 * Matches the texts that are searched anywhere in a name; names must begin with any other text. undefined
 * unless an operator has built the index of docs/operations.md, which holds three letters at a time and,
 * beyond ASCII, only characters that the locale of the database takes for letters.
 */
export async function partsOfNames(db: Knex): Promise<RegExp | undefined> {
  const { rows } = await db.raw(
    `SELECT lower('Ä') = 'ä' AS all_letters FROM pg_index
      WHERE indexrelid = to_regclass('users_text') AND indisvalid`,
  )
  if (rows.length === 0) return undefined
  return rows[0].all_letters ? /[\p{L}\p{N}]{3}/u : /[a-z0-9]{3}/i
}

/** Narrows a query to people whose username, address or, for parts, full name matches a text. */
function withText(
  query: Knex.QueryBuilder<UserRow>,
  text: string,
  parts: RegExp | undefined,
): void {
  const isPart = parts?.test(text) ?? false
  const like = `${isPart ? '%' : ''}${text.replace(/[\\%_]/g, '\\$&')}%`
  const columns = isPart ? ['username', 'email', 'full_name'] : ['username', 'email']
  const matches = columns.map((column) => `lower(${column}) LIKE lower(?)`)
  query.whereRaw(`(${matches.join(' OR ')})`, Array(columns.length).fill(like))
}
