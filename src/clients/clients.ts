import { isDeepStrictEqual } from 'node:util'
import type { Knex } from 'knex'
import type { Actor, AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Change, Revocations } from '../revocations/revocations.ts'
import { endSomeOfClient, hasLive } from '../sessions/ended-sessions.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import {
  type Client,
  ClientError,
  type ClientRow,
  clientOf,
  unknownClient,
  usesSecret,
} from './client.ts'
import type { CachedClient, ClientCache } from './client-cache.ts'
import { addSecret } from './client-secrets.ts'
import type { SettingField } from './client-settings.ts'
import { columnsOf, type NewClient, newClient } from './new-client.ts'

interface Dependencies {
  readonly db: Knex
  readonly cache: ClientCache
  readonly revocations: Revocations
  readonly apiKeys: Pick<ApiKeys, 'end' | 'hasAny'>
  readonly audit: AuditTrail
  readonly now: Now
  /** No client may have longer access tokens: revocations are remembered for so long. */
  readonly accessTokenMaxSeconds: number
  readonly rememberSeconds: number
}

/** A client, and whether some of its sessions are still being ended; they are refused already. */
export interface ListedClient extends Client {
  readonly endingSessions: boolean
}

/** Changes of a client that are made together. */
interface ClientChanges {
  readonly settings?: Partial<NewClient> | undefined
  readonly disabled?: boolean | undefined
  /** Adds a secret; the previous one stays valid for so long. */
  readonly overlapSeconds?: number | undefined
}

/** How many sessions ended at once, and whether the janitor ends more of them. */
interface EndedSessions {
  readonly sessions: number
  readonly more: boolean
}

interface Amended extends EndedSessions {
  /** The new secret, if one was requested. */
  readonly secret: string | undefined
}

type ListedRow = ClientRow & { ending_sessions: boolean }

const listedOf = (row: ListedRow): ListedClient => ({
  ...clientOf(row),
  endingSessions: row.ending_sessions,
})

/** API keys that end in the transaction that ends their client; the janitor ends the rest. */
const keysAtOnce = 1000

/** Clients and their secrets, and every change of them. */
export class Clients {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** A client that is not disabled, with its live secrets, as they were within the last seconds. */
  find(id: string): Promise<CachedClient | undefined> {
    return this.#deps.cache.find(id)
  }

  /** The same, read now: before a caller is refused by what the cache says. */
  findAnew(id: string): Promise<CachedClient | undefined> {
    return this.#deps.cache.findAnew(id)
  }

  async list(): Promise<ListedClient[]> {
    const rows: ListedRow[] = await this.#listed().orderBy('id')
    return rows.map(listedOf)
  }

  /**
   * A client, disabled or not.
   * @throws ClientError if there is none
   */
  async get(id: string): Promise<ListedClient> {
    const row: ListedRow | undefined = await this.#listed().where({ id }).first()
    if (!row) throw unknownClient(id)
    return listedOf(row)
  }

  #listed() {
    const ending = `disabled_at IS NOT NULL AND ${hasLive('clients.id')} AS ending_sessions`
    return this.#deps.db('clients').select('*', this.#deps.db.raw(ending))
  }

  /**
   * @returns the secret, which is stored nowhere else; undefined for a client that has none
   * @throws ZodError naming the fields that are wrong
   * @throws ClientError if the id is taken or a limit of this server is exceeded
   */
  async create(
    input: NewClient,
    actor: Actor = {},
  ): Promise<{ client: Client; secret: string | undefined }> {
    const { db, audit, now, accessTokenMaxSeconds } = this.#deps
    const columns = columnsOf(newClient.parse(input), accessTokenMaxSeconds)
    await this.#refuseWhileRevoked(input.id)
    return db.transaction(async (trx) => {
      await this.#refuseWhileEnding(trx, input.id)
      const [row]: ClientRow[] = await trx('clients')
        .insert({ ...columns, id: input.id, created_at: now() })
        .onConflict('id')
        .ignore()
        .returning('*')
      if (!row) throw new ClientError(`There is a client ${input.id} already.`)
      const client = clientOf(row)
      const secret = usesSecret(client) ? await addSecret(trx, client.id, 0, now()) : undefined
      await audit.recordChange({ trx, actor }, { event: 'client.created', clientId: client.id })
      return { client, secret }
    })
  }

  /** For a client that belongs to the server itself. */
  async createIfMissing(input: NewClient): Promise<void> {
    const present = await this.#deps.db('clients').where({ id: input.id }).first('id')
    if (present) return
    await this.create(input).catch((error) => {
      // Another instance that starts at the same moment may have been first.
      if (!(error instanceof ClientError)) throw error
    })
  }

  /**
   * Makes all of the changes or none. Settings that are not named stay; the whole must be valid afterwards.
   * @throws ZodError naming the settings that are wrong
   * @throws ClientError
   */
  amend(id: string, changes: ClientChanges, actor: Actor = {}): Promise<Amended> {
    const { settings, disabled, overlapSeconds } = changes
    return this.#decide(id, actor, async (change) => {
      const { trx } = change
      const row: ClientRow | undefined = await trx('clients').where({ id }).forUpdate().first()
      if (!row) throw unknownClient(id)
      if (settings) await this.#set(change, row, settings)
      const ended = await this.#disableOrEnable(change, row, disabled)
      const secret =
        overlapSeconds === undefined
          ? undefined
          : await this.#addSecret(change, clientOf(row), overlapSeconds)
      return { secret, ...ended }
    })
  }

  /**
   * Adds a secret; the previous one stays valid for `overlapSeconds`, so that an app can be switched
   * over without an outage.
   */
  async rotateSecret(id: string, overlapSeconds: number): Promise<string> {
    const { secret } = await this.amend(id, { overlapSeconds })
    return secret as string
  }

  /** Ends everything the client has: authentication, sessions, API keys and access tokens. */
  async disable(id: string): Promise<EndedSessions> {
    const { sessions, more } = await this.amend(id, { disabled: true })
    return { sessions, more }
  }

  /**
   * Ends everything the client has and removes it; the audit trail stays.
   * @throws ClientError if there is no such client
   */
  async delete(id: string, actor: Actor = {}): Promise<void> {
    const { audit, now } = this.#deps
    await this.#decide(id, actor, async (change) => {
      const { trx } = change
      const found = await trx('clients').where({ id }).delete()
      if (found === 0) throw unknownClient(id)
      const deleted = { id, deleted_at: now() }
      await trx('deleted_clients').insert(deleted).onConflict('id').ignore()
      const ended = await this.#end(change, id)
      const detail = { ...ended }
      await audit.recordChange(change, { event: 'client.deleted', clientId: id, detail })
    })
  }

  /** Sets the audiences of a client that belongs to the server itself. */
  async serve(id: string, audiences: readonly string[]): Promise<void> {
    await this.#deps
      .db('clients')
      .where({ id })
      .whereRaw('audiences <> ?::text[]', [[...audiences]])
      .update({ audiences: [...audiences] })
    this.#deps.cache.forget(id)
  }

  async #set(change: Change, row: ClientRow, settings: Partial<NewClient>): Promise<void> {
    const { audit, accessTokenMaxSeconds } = this.#deps
    const { id } = row
    const before = clientOf(row)
    const after = newClient.parse({ ...before, ...settings, id })
    const columns = columnsOf(after, accessTokenMaxSeconds)
    const named = Object.keys(settings) as SettingField[]
    const fields = named.filter((field) => !isDeepStrictEqual(before[field], after[field]))
    if (fields.length === 0) return
    await change.trx('clients').where({ id }).update(columns)
    await audit.recordChange(change, { event: 'client.changed', clientId: id, detail: { fields } })
  }

  /** A client that is disabled or enabled already is left alone, and so is the audit trail. */
  async #disableOrEnable(
    change: Change,
    { id, disabled_at: disabledAt }: ClientRow,
    disabled: boolean | undefined,
  ): Promise<EndedSessions> {
    const { audit, now } = this.#deps
    const { trx } = change
    const none = { sessions: 0, more: false }
    if (disabled === undefined || disabled === (disabledAt !== null)) return none
    if (disabled) {
      await trx('clients').where({ id }).update({ disabled_at: now() })
      const ended = await this.#end(change, id)
      const detail = { ...ended }
      await audit.recordChange(change, { event: 'client.disabled', clientId: id, detail })
      return ended
    }
    await this.#refuseWhileRevoked(id)
    await this.#refuseWhileEnding(trx, id)
    await trx('clients').where({ id }).update({ disabled_at: null })
    await audit.recordChange(change, { event: 'client.enabled', clientId: id })
    return none
  }

  async #addSecret(change: Change, client: Client, overlapSeconds: number): Promise<string> {
    const { audit, now } = this.#deps
    const { id } = client
    if (!usesSecret(client)) throw new ClientError(`The client ${id} has no secret.`)
    const secret = await addSecret(change.trx, id, overlapSeconds, now())
    const detail = { overlapSeconds }
    await audit.recordChange(change, { event: 'client.secret_rotated', clientId: id, detail })
    return secret
  }

  /**
   * One revocation ends every access token of the client, however many there are. Sessions and API
   * keys that this transaction does not end are refused all the same; the janitor ends them later. The
   * tokens that API keys were exchanged for belong to other clients, so each key is revoked by itself.
   */
  async #end(change: Change, id: string): Promise<EndedSessions> {
    const { apiKeys, now, rememberSeconds } = this.#deps
    const expiresAt = later(now(), rememberSeconds)
    await change.revoke({ kind: 'client', value: id, expiresAt })
    await apiKeys.end(change, { client_id: id }, keysAtOnce)
    return endSomeOfClient(change.trx, id, now())
  }

  /**
   * Keeps earlier sessions and API keys from coming back to life, with the client that is enabled again
   * or with another one that gets its id.
   * @throws ClientError
   */
  async #refuseWhileEnding(trx: Knex.Transaction, id: string): Promise<void> {
    const { apiKeys, now } = this.#deps
    const { more } = await endSomeOfClient(trx, id, now())
    if (more) throw new ClientError(`The sessions of ${id} are still being ended: wait.`)
    // The janitor deletes them together with the revocations of their tokens.
    if (await apiKeys.hasAny(trx, id)) {
      throw new ClientError(`The API keys of ${id} are still being deleted: wait.`)
    }
    await trx('deleted_clients').where({ id }).delete()
  }

  /**
   * The revocation names the client and no point in time, so it would end new tokens as well.
   * @throws ClientError
   */
  async #refuseWhileRevoked(id: string): Promise<void> {
    const { revocations, rememberSeconds } = this.#deps
    if (!(await revocations.isRevokedAny([{ kind: 'client', value: id }]))) return
    const minutes = Math.ceil(rememberSeconds / 60)
    throw new ClientError(
      `The tokens of ${id} are revoked until the last has expired, ${minutes} minutes after it ended: wait, or choose another id.`,
    )
  }

  /** Forgets the client even after an error: a commit whose answer was lost may have happened. */
  #decide<T>(id: string, actor: Actor, work: (change: Change) => Promise<T>): Promise<T> {
    const { revocations, cache } = this.#deps
    return revocations.decide(work, actor).finally(() => cache.forget(id))
  }
}
