import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { type Actor, byActor } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import { foldIdentifier } from '../identifier.ts'
import { noPassword, type Passwords } from '../passwords/passwords.ts'
import type { Db } from '../stores/postgres.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { insertUser, type NewUser } from './new-user.ts'
import { withText } from './text-search.ts'
import { normalName, type User, UserError, type UserRow, userOf } from './user.ts'

export interface Candidate {
  readonly user: User
  readonly passwordHash: string
}

/** Which people to list. */
export interface UserFilter {
  readonly role?: string | undefined
  readonly state?: 'active' | 'disabled' | 'unverified' | undefined
  /** How a username or an address begins, or a part of them or of the full name: see text-search.ts. */
  readonly text?: string | undefined
}

/** Columns by name: a prepared statement must go on giving what it gave when a column is added. */
const identifiedBy = (column: 'username' | 'email') =>
  statement(
    `person_by_${column}`,
    `SELECT id, username, email, email_verified_at, full_name, password_hash, password_changed_at,
            must_change_password, roles, created_at, disabled_at
       FROM users WHERE ${column}_key = $1 OR lower(${column}) IN ($1, lower($2))`,
  )

/** A row of the release before has no key yet, or one of a name that it has changed: see ADR 28. */
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

const mostCounted = 10_000

/** The table of people. */
export class Users {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Who this username or e-mail address may be, before anything is proven. */
  async candidate(identifier: string): Promise<Candidate | undefined> {
    const row = await this.#identified(identifier)
    return row && { user: userOf(row), passwordHash: row.password_hash }
  }

  /**
   * The person, if the password is theirs. Nobody, disabled and wrong are one answer that takes one
   * time; the password of somebody disabled is still checked.
   * @param ip who asks, so that all addresses have their turn
   */
  async authenticate(
    who: Candidate | undefined,
    password: string,
    ip?: string,
  ): Promise<User | undefined> {
    const { passwords } = this.#deps
    const matches = await passwords.matches(password, who?.passwordHash, ip)
    if (!who || !matches || who.user.disabledAt) return undefined
    if (passwords.isOutdated(who.passwordHash)) await this.#renewHash(who, password, ip)
    return who.user
  }

  /**
   * Asks somebody who is signed in already for their password again.
   * @throws UserRefused `wrong_password`
   * @throws Overloaded before anything was looked up
   */
  async demand(
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
   * @throws UserRefused when a name is taken or malformed
   * @throws PasswordRefused
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
      const user = await insertUser(trx, input, passwordHash, this.#deps.now())
      const name = input.username ?? input.email
      if (!user) throw new UserError('taken', `There is a user ${name} already.`)
      const { ip } = actor
      const detail = byActor(actor)
      await this.#deps.audit.record({ event: 'user.created', userId: user.id, ip, detail }, trx)
      return user
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
      [...[key, key], normalName(email)],
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

  /** Newest first; `after` is the id of the last one of the page before. */
  async page(filter: UserFilter, limit: number, after?: string): Promise<User[]> {
    const query = this.#filtered(filter).orderBy('id', 'desc').limit(limit)
    const rows: UserRow[] = await (after === undefined ? query : query.where('id', '<', after))
    return rows.map(userOf)
  }

  /** Exact up to 10,000, and from there on what PostgreSQL estimates: counting would read the table. */
  async count(filter: UserFilter): Promise<number> {
    const { db } = this.#deps
    const some = this.#filtered(filter)
      .orderBy('id')
      .limit(mostCounted + 1)
      .as('some')
    const [row] = await db.from(some).count({ count: '*' })
    const count = Number(row?.count)
    if (count <= mostCounted) return count
    const { sql, bindings } = this.#filtered(filter).toSQL()
    const { rows } = await db.raw(`EXPLAIN (FORMAT JSON) ${sql}`, bindings)
    return Math.max(mostCounted, Math.round(rows[0]['QUERY PLAN'][0].Plan['Plan Rows']))
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
    // Not trimmed: what is typed to be checked is compared as it is.
    return identifier.normalize('NFKC') === names[1] ? row : undefined
  }

  /** Unless the password was changed meanwhile. */
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
