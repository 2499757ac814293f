import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import { createSecret, digestSecret } from '../oauth/opaque-token.ts'
import type { Revocation, RevocationLog } from '../revocations/revocation-log.ts'
import type { Change, Revocations } from '../revocations/revocations.ts'
import { inShardOf } from '../shard.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'
import { type ChosenApiKey, holdsSession, type NewApiKey } from './new-api-key.ts'

/** A key that a person made for a program. */
export interface ApiKey {
  /** Public; the `sid` of the access tokens that it is exchanged for. */
  readonly id: string
  readonly userId: string
  readonly name: string
  /** The client with which it was created; null for keys of the previous release. */
  readonly clientId: string | null
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly lastUsedAt: Date | null
}

/** A valid key that was presented, with the roles of its person. */
interface LiveApiKey extends ApiKey {
  readonly roles: readonly string[]
}

interface Row {
  id: string
  user_id: string
  name: string
  client_id: string | null
  scope: string[]
  audience: string[]
  created_at: Date
  expires_at: Date | null
  last_used_at: Date | null
}

/** A key with its secret, which nothing can show again. */
interface CreatedApiKey {
  readonly key: ApiKey
  readonly secret: string
}

interface Dependencies {
  readonly db: Knex
  readonly revocations: Revocations
  readonly revocationLog: RevocationLog
  readonly audit: AuditTrail
  readonly outbox: Outbox
  readonly now: Now
  readonly keysPerUser: number
  /** How long the access tokens of a key may outlive it. */
  readonly rememberSeconds: number
}

const prefix = 'sak_'

/** `amr` of the tokens that keys are exchanged for: no person was present. */
export const apiKeyMethod = 'api_key'

/** The last use is written at most so often: a busy key does not cost a write for each request. */
const lastUseSeconds = 60

export const looksLikeApiKey = (text: string): boolean => text.startsWith(prefix)

/** API keys: 256 random bits, shown once, stored as a digest. */
export class ApiKeys {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * @returns undefined when the limit is reached, or when the person was disabled, their password was
   * changed or their session ended meanwhile
   */
  async create(request: NewApiKey): Promise<CreatedApiKey | undefined> {
    const { db, now, audit, outbox, keysPerUser } = this.#deps
    const { id, secret } = request.chosen ?? this.choose(request.userId)
    return db.transaction(async (trx) => {
      // The lock makes the count exact for concurrent requests.
      const person = await trx('users')
        .where({ id: request.userId, disabled_at: null })
        .forNoKeyUpdate()
        .first('email', 'password_changed_at')
      if (!person) return undefined
      const { passwordChangedAt: known = person.password_changed_at } = request
      if (known.getTime() !== person.password_changed_at.getTime()) return undefined
      if (!(await holdsSession(trx, request, now()))) return undefined
      const first = request.chosen && (await firstCopy(trx, request.userId, request.chosen))
      if (first) return { key: keyOf(first), secret }
      const [held] = await trx('api_keys').where({ user_id: request.userId }).count({ count: '*' })
      if (Number(held?.count) >= keysPerUser) return undefined
      const [row]: Row[] = await trx('api_keys')
        .insert({
          id,
          user_id: request.userId,
          name: request.name,
          client_id: request.clientId,
          digest: digestSecret(secret),
          scope: [...request.scope],
          audience: [...request.audience],
          created_at: now(),
          expires_at: request.expiresAt,
        })
        .returning('*')
      if (!row) throw new Error('the key was not written')
      const { userId, ip, name } = request
      const detail = { key: row.id, name, scope: request.scope }
      await audit.record({ event: 'api_key.created', userId, ip, detail }, trx)
      if (person.email) {
        const mail = { template: 'api_key_created', to: person.email, userId } as const
        await outbox.put(trx, { ...mail, data: { ip, keyName: name } })
      }
      return { key: keyOf(row), secret }
    })
  }

  choose(userId: string): ChosenApiKey {
    return { id: inShardOf(userId), secret: createSecret(prefix) }
  }

  /** True if a key was revoked lately: its secret must never count again. */
  wasRevoked(id: string): Promise<boolean> {
    return this.#deps.revocations.isRevokedAny([{ kind: 'sid', value: id }])
  }

  async list(userId: string): Promise<ApiKey[]> {
    const rows: Row[] = await this.#deps
      .db('api_keys')
      .where({ user_id: userId })
      .orderBy('id', 'desc')
    return rows.map(keyOf)
  }

  /** Ends a key and every access token that it was exchanged for. */
  async revoke(userId: string, id: string, ip?: string): Promise<boolean> {
    const { revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      if ((await this.end(change, { id, user_id: userId })) === 0) return false
      await audit.record({ event: 'api_key.revoked', userId, ip, detail: { key: id } }, change.trx)
      return true
    })
  }

  /**
   * Deletes keys, at most `limit`, and revokes the access tokens that they were exchanged for.
   * @returns how many keys it deleted
   */
  async end(
    { trx, revoke }: Change,
    which: { id: string; user_id: string } | { user_id: string } | { client_id: string },
    limit?: number,
  ): Promise<number> {
    const keys = trx('api_keys').where(which)
    const some =
      limit === undefined ? keys : trx('api_keys').whereIn('id', keys.limit(limit).select('id'))
    const ended: { id: string }[] = await some.delete().returning('id')
    await revoke(...ended.map((key) => this.#revocationOf(key)))
    return ended.length
  }

  /** True if a client has keys, live or not. */
  async hasAny(trx: Knex.Transaction, clientId: string): Promise<boolean> {
    return (await trx('api_keys').where({ client_id: clientId }).first('id')) !== undefined
  }

  /** Deletes keys whose revocation is in the log already. */
  async deleteRevoked(trx: Knex.Transaction, ids: readonly string[]): Promise<void> {
    await trx('api_keys')
      .whereIn('id', [...ids])
      .delete()
  }

  /** Finds a live key of an enabled person by its secret. */
  async verify(secret: string): Promise<LiveApiKey | undefined> {
    if (!looksLikeApiKey(secret) || secret.length > 100) return undefined
    const { db, now } = this.#deps
    const row: (Row & { roles: string[] }) | undefined = await db('api_keys')
      .join('users', 'users.id', 'api_keys.user_id')
      .where({ digest: digestSecret(secret), 'users.disabled_at': null })
      .whereRaw(ofLiveClient)
      .where((live) => live.whereNull('expires_at').orWhere('expires_at', '>', now()))
      .first('api_keys.*', 'users.roles')
    if (!row) return undefined
    await this.#noteUse(row)
    return { ...keyOf(row), roles: row.roles }
  }

  /**
   * Deletes keys whose client was disabled or deleted; `verify` refuses them before that. The clients
   * of keys are found by skipping through the index, however many keys there are.
   */
  async pruneOfEndedClients(limit: number, db: Db): Promise<{ rows: number; done: boolean }> {
    const { rows } = await db.raw<{ rows: { id: string }[] }>(
      `WITH RECURSIVE held (client_id) AS (
         SELECT min(client_id) FROM api_keys WHERE client_id IS NOT NULL
         UNION ALL
         SELECT (SELECT min(api_keys.client_id) FROM api_keys WHERE api_keys.client_id > held.client_id)
           FROM held WHERE held.client_id IS NOT NULL
       ), ended AS (
         SELECT client_id FROM held
          WHERE client_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM clients WHERE clients.id = held.client_id AND disabled_at IS NULL)
       )
       DELETE FROM api_keys
        WHERE id IN (SELECT id FROM api_keys JOIN ended USING (client_id) LIMIT ?) RETURNING id`,
      [limit],
    )
    const revoked = rows.map((key) => this.#revocationOf(key))
    await this.#deps.revocationLog.append(db, revoked)
    return { rows: rows.length, done: rows.length < limit }
  }

  #revocationOf({ id }: { readonly id: string }): Revocation {
    const { now, rememberSeconds } = this.#deps
    return { kind: 'sid', value: id, expiresAt: later(now(), rememberSeconds) }
  }

  async #noteUse({ id, last_used_at: last }: Row): Promise<void> {
    const now = this.#deps.now()
    if (last && later(last, lastUseSeconds) > now) return
    await this.#deps.db('api_keys').where({ id }).update({ last_used_at: now })
  }
}

export const expiredApiKeys: ExpiringRows = { table: 'api_keys', columns: ['expires_at'] }

/** The key that the first copy of a form has created. */
const firstCopy = (
  trx: Knex.Transaction,
  userId: string,
  { id, secret }: ChosenApiKey,
): Promise<Row | undefined> =>
  trx('api_keys')
    .where({ id, user_id: userId, digest: digestSecret(secret) })
    .first()

/** A key, expired or not; for operators. A revoked one has no row. */
export async function readApiKey(
  db: Knex,
  which: { readonly secret: string } | { readonly id: string },
): Promise<ApiKey | undefined> {
  const where = 'secret' in which ? { digest: digestSecret(which.secret) } : which
  const row: Row | undefined = await db('api_keys').where(where).first()
  return row && keyOf(row)
}

const ofLiveClient = `(client_id IS NULL OR EXISTS (
  SELECT FROM clients WHERE clients.id = api_keys.client_id AND clients.disabled_at IS NULL))`

const keyOf = (row: Row): ApiKey => ({
  id: row.id,
  userId: row.user_id,
  name: row.name,
  clientId: row.client_id,
  scope: row.scope,
  audience: row.audience,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  lastUsedAt: row.last_used_at,
})
