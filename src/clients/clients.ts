import type { Knex } from 'knex'
import type { Actor } from '../audit/actor.ts'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Revocations, Revoke } from '../revocations/revocations.ts'
import { hasLive } from '../sessions/client-sessions.ts'
import { type Client, type ClientRow, clientOf, usesSecret } from './client.ts'
import { type Amended, ClientAmendment, type ClientChanges } from './client-amendment.ts'
import type { CachedClient, ClientCache } from './client-cache.ts'
import { columnsOf } from './client-columns.ts'
import { ClientEnd, type EndedSessions } from './client-end.ts'
import { ClientError, unknownClient } from './client-error.ts'
import { ClientTrail } from './client-trail.ts'
import { type NewClient, newClient } from './new-client.ts'
import { addSecret } from './secret-slots.ts'

interface Dependencies {
  readonly db: Knex
  readonly known: ClientCache
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly now: Now
  /** No client may have longer access tokens: revocations are remembered for so long. */
  readonly accessTokenMaxSeconds: number
  readonly rememberSeconds: number
}

/** A client, and whether some of its sessions are still being ended: they count for nothing already. */
export interface ListedClient extends Client {
  readonly endingSessions: boolean
}

type ListedRow = ClientRow & { ending_sessions: boolean }

const listedOf = (row: ListedRow): ListedClient => ({
  ...clientOf(row),
  endingSessions: row.ending_sessions,
})

/** The table of clients and their secrets, and what is changed in it. */
export class Clients {
  readonly #deps: Dependencies
  readonly #trail: ClientTrail
  readonly #end: ClientEnd
  readonly #amendment: ClientAmendment

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#trail = new ClientTrail(deps.audit)
    this.#end = new ClientEnd(deps)
    this.#amendment = new ClientAmendment({ ...deps, end: this.#end, trail: this.#trail })
  }

  /** A client that is not disabled, with its live secrets, as they were within the last seconds. */
  find(id: string): Promise<CachedClient | undefined> {
    return this.#deps.known.find(id)
  }

  /** The same as it is now, for when the memory speaks against somebody. */
  findAnew(id: string): Promise<CachedClient | undefined> {
    return this.#deps.known.findAnew(id)
  }

  async list(): Promise<ListedClient[]> {
    const rows: ListedRow[] = await this.#listed().orderBy('id')
    return rows.map(listedOf)
  }

  /**
   * @returns the secret, which is kept nowhere else; undefined for a client that has none
   * @throws ZodError naming the fields that are wrong
   * @throws ClientRefused when the id is taken or a limit of this server is passed
   */
  async create(
    input: NewClient,
    actor: Actor = {},
  ): Promise<{ client: Client; secret: string | undefined }> {
    const { db, now, accessTokenMaxSeconds } = this.#deps
    const columns = columnsOf(newClient.parse(input), accessTokenMaxSeconds)
    await this.#end.refuseWhileRevoked(input.id)
    return db.transaction(async (trx) => {
      await this.#end.refuseWhileEnding(trx, input.id)
      const [row]: ClientRow[] = await trx('clients')
        .insert({ ...columns, id: input.id, created_at: now() })
        .onConflict('id')
        .ignore()
        .returning('*')
      if (!row) throw new ClientError(`There is a client ${input.id} already.`)
      const client = clientOf(row)
      const secret = usesSecret(client) ? await addSecret(trx, client.id, 0, now()) : undefined
      await this.#trail.record(trx, 'client.created', client.id, actor)
      return { client, secret }
    })
  }

  /** Disabled or not. */
  async known(id: string): Promise<ListedClient> {
    const row: ListedRow | undefined = await this.#listed().where({ id }).first()
    if (!row) throw unknownClient(id)
    return listedOf(row)
  }

  #listed() {
    const ending = `disabled_at IS NOT NULL AND ${hasLive('clients.id')} AS ending_sessions`
    return this.#deps.db('clients').select('*', this.#deps.db.raw(ending))
  }

  /** What is not named stays; the whole must fit together afterwards. */
  async change(id: string, settings: Partial<NewClient>): Promise<void> {
    await this.amend(id, { settings })
  }

  /** All of it or nothing. */
  amend(id: string, changes: ClientChanges, actor: Actor = {}): Promise<Amended> {
    return this.#decide(id, (trx, revoke) => this.#amendment.apply(trx, revoke, id, changes, actor))
  }

  /** Like disabling it, and nothing of it stays but the trail. */
  async delete(id: string, actor: Actor = {}): Promise<void> {
    await this.#decide(id, async (trx, revoke) => {
      const ended = await this.#end.delete(trx, revoke, id)
      await this.#trail.record(trx, 'client.deleted', id, actor, { ...ended })
    })
  }

  /** The audiences of a client that belongs to the server itself, whatever else was set for it. */
  async serve(id: string, audiences: readonly string[]): Promise<void> {
    await this.#deps
      .db('clients')
      .where({ id })
      .whereRaw('audiences <> ?::text[]', [[...audiences]])
      .update({ audiences: [...audiences] })
    this.#deps.known.forget(id)
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
   * Adds a secret; the one before goes on for `overlapSeconds`, so that an app can be moved over
   * without an outage. Of an older third one nothing is left.
   */
  async rotateSecret(id: string, overlapSeconds: number): Promise<string> {
    const { secret } = await this.amend(id, { overlapSeconds })
    return secret as string
  }

  /** Ends everything the client has: sign-in, sessions and the access tokens that it was given. */
  async disable(id: string): Promise<EndedSessions> {
    const { sessions, more } = await this.amend(id, { disabled: true })
    return { sessions, more }
  }

  /** Whatever became of it: a commit whose answer was lost may have happened. */
  #decide<T>(id: string, work: (trx: Knex.Transaction, revoke: Revoke) => Promise<T>): Promise<T> {
    const { revocations, known } = this.#deps
    return revocations.decide(work).finally(() => known.forget(id))
  }
}
