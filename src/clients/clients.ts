import type { Knex } from 'knex'
import type { Actor } from '../audit/actor.ts'
import type { AuditEvent } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Revocations, Revoke } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { Db } from '../stores/postgres.ts'
import { type Client, type ClientRow, clientOf, usesSecret } from './client.ts'
import { columnsOf } from './client-columns.ts'
import { ClientRefused, unknownClient } from './client-refused.ts'
import { ClientTrail } from './client-trail.ts'
import type { KnownClient, KnownClients } from './known-clients.ts'
import { type NewClient, newClient } from './new-client.ts'
import { addSecret } from './secret-slots.ts'

interface Rooms {
  readonly db: Knex
  readonly known: KnownClients
  readonly revocations: Revocations
  readonly families: RefreshFamilies
  readonly audit: { record(event: AuditEvent, db?: Db): Promise<void> }
  readonly now: Now
  /** No client may have longer access tokens: revocations are remembered for so long. */
  readonly accessTokenMaxSeconds: number
  readonly rememberSeconds: number
}

/** What can be wished for in one go. */
export interface ClientChanges {
  readonly settings?: Partial<NewClient> | undefined
  readonly disabled?: boolean | undefined
  /** A new secret; the one before goes on for so long. */
  readonly overlapSeconds?: number | undefined
}

/** The table of clients and their secrets, and what is changed in it. */
export class Clients {
  readonly #rooms: Rooms
  readonly #trail: ClientTrail

  constructor(rooms: Rooms) {
    this.#rooms = rooms
    this.#trail = new ClientTrail(rooms.audit)
  }

  /** A client that is not disabled, with its live secrets, as they were within the last seconds. */
  find(id: string): Promise<KnownClient | undefined> {
    return this.#rooms.known.find(id)
  }

  /** The same as it is now, for when the memory speaks against somebody. */
  findAnew(id: string): Promise<KnownClient | undefined> {
    return this.#rooms.known.findAnew(id)
  }

  async list(): Promise<Client[]> {
    const rows: ClientRow[] = await this.#rooms.db('clients').orderBy('id')
    return rows.map(clientOf)
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
    const { db, now, accessTokenMaxSeconds } = this.#rooms
    const columns = columnsOf(newClient.parse(input), accessTokenMaxSeconds)
    await this.#refuseWhileRevoked(input.id)
    return db.transaction(async (trx) => {
      const [row]: ClientRow[] = await trx('clients')
        .insert({ ...columns, id: input.id, created_at: now() })
        .onConflict('id')
        .ignore()
        .returning('*')
      if (!row) throw new ClientRefused(`There is a client ${input.id} already.`)
      const client = clientOf(row)
      const secret = usesSecret(client) ? await addSecret(trx, client.id, 0, now()) : undefined
      await this.#trail.record(trx, 'client.created', client.id, actor)
      return { client, secret }
    })
  }

  /** Disabled or not. */
  async known(id: string): Promise<Client> {
    const row: ClientRow | undefined = await this.#rooms.db('clients').where({ id }).first()
    if (!row) throw unknownClient(id)
    return clientOf(row)
  }

  /** What is not named stays; the whole must fit together afterwards. */
  async change(id: string, settings: Partial<NewClient>): Promise<void> {
    await this.amend(id, { settings })
  }

  /** All of it or nothing. @returns the new secret, if one was wished for */
  async amend(
    id: string,
    { settings, disabled, overlapSeconds }: ClientChanges,
    actor: Actor = {},
  ): Promise<{ secret: string | undefined; sessions: number }> {
    const { now } = this.#rooms
    return this.#decide(id, async (trx, revoke) => {
      const row: ClientRow | undefined = await trx('clients').where({ id }).forUpdate().first()
      if (!row) throw unknownClient(id)
      if (settings) await this.#set(trx, row, settings, actor)
      const sessions = disabled ? await this.#disable(trx, revoke, id, actor) : 0
      if (disabled === false) await this.#enable(trx, row, actor)
      if (overlapSeconds === undefined) return { secret: undefined, sessions }
      if (!usesSecret(clientOf(row))) throw new ClientRefused(`The client ${id} has no secret.`)
      const secret = await addSecret(trx, id, overlapSeconds, now())
      await this.#trail.record(trx, 'client.secret_rotated', id, actor, { overlapSeconds })
      return { secret, sessions }
    })
  }

  /** Like disabling it, and nothing of it stays but the trail. */
  async delete(id: string, actor: Actor = {}): Promise<void> {
    const { families, now, rememberSeconds } = this.#rooms
    await this.#decide(id, async (trx, revoke) => {
      const ended = await families.end(trx, revoke, { client_id: id }, 'client_disabled')
      const found = await trx('clients').where({ id }).delete()
      if (found === 0) throw unknownClient(id)
      await revoke({ kind: 'client', value: id, expiresAt: later(now(), rememberSeconds) })
      await this.#trail.record(trx, 'client.deleted', id, actor, { sessions: ended.length })
    })
  }

  /** The audiences of a client that belongs to the server itself, whatever else was set for it. */
  async serve(id: string, audiences: readonly string[]): Promise<void> {
    await this.#rooms
      .db('clients')
      .where({ id })
      .whereRaw('audiences <> ?::text[]', [[...audiences]])
      .update({ audiences: [...audiences] })
    this.#rooms.known.forget(id)
  }

  /** For a client that belongs to the server itself. */
  async createIfMissing(input: NewClient): Promise<void> {
    const present = await this.#rooms.db('clients').where({ id: input.id }).first('id')
    if (present) return
    await this.create(input).catch((error) => {
      // Another instance that starts at the same moment may have been first.
      if (!(error instanceof ClientRefused)) throw error
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
  async disable(id: string): Promise<{ sessions: number }> {
    const { sessions } = await this.amend(id, { disabled: true })
    return { sessions }
  }

  /** Whatever became of it: a commit whose answer was lost may have happened. */
  #decide<T>(id: string, work: (trx: Knex.Transaction, revoke: Revoke) => Promise<T>): Promise<T> {
    const { revocations, known } = this.#rooms
    return revocations.decide(work).finally(() => known.forget(id))
  }

  async #set(
    trx: Knex.Transaction,
    row: ClientRow,
    settings: Partial<NewClient>,
    actor: Actor,
  ): Promise<void> {
    const { id } = row
    const wished = newClient.parse({ ...clientOf(row), ...settings, id })
    const columns = columnsOf(wished, this.#rooms.accessTokenMaxSeconds)
    await trx('clients').where({ id }).update(columns)
    await this.#trail.record(trx, 'client.changed', id, actor, { fields: Object.keys(settings) })
  }

  async #disable(trx: Knex.Transaction, revoke: Revoke, id: string, actor: Actor): Promise<number> {
    const { families, now, rememberSeconds } = this.#rooms
    const disabledAt = trx.raw('COALESCE(disabled_at, ?)', [now()])
    await trx('clients').where({ id }).update({ disabled_at: disabledAt })
    const { length: sessions } = await families.end(
      ...([trx, revoke, { client_id: id }, 'client_disabled'] as const),
    )
    await revoke({ kind: 'client', value: id, expiresAt: later(now(), rememberSeconds) })
    await this.#trail.record(trx, 'client.disabled', id, actor, { sessions })
    return sessions
  }

  async #enable(trx: Knex.Transaction, { id, disabled_at }: ClientRow, actor: Actor) {
    if (disabled_at) await this.#refuseWhileRevoked(id)
    await trx('clients').where({ id }).update({ disabled_at: null })
    await this.#trail.record(trx, 'client.enabled', id, actor)
  }

  /** Its revocation names the client and no moment: new tokens would be dead as the old ones are. */
  async #refuseWhileRevoked(id: string): Promise<void> {
    if (!(await this.#rooms.revocations.holdAny([{ kind: 'client', value: id }]))) return
    const minutes = Math.ceil(this.#rooms.rememberSeconds / 60)
    throw new ClientRefused(
      `The tokens of ${id} are revoked until the last has expired, ${minutes} minutes after it ended: wait, or take another id.`,
    )
  }
}
