import type { Knex } from 'knex'
import type { Actor } from '../audit/actor.ts'
import type { Now } from '../clock.ts'
import type { Revoke } from '../revocations/revocations.ts'
import { type ClientRow, clientOf, usesSecret } from './client.ts'
import { columnsOf } from './client-columns.ts'
import type { ClientEnd } from './client-end.ts'
import { ClientRefused, unknownClient } from './client-refused.ts'
import type { ClientTrail } from './client-trail.ts'
import { type NewClient, newClient } from './new-client.ts'
import { addSecret } from './secret-slots.ts'

interface Rooms {
  readonly end: ClientEnd
  readonly trail: ClientTrail
  readonly now: Now
  readonly accessTokenMaxSeconds: number
}

/** What can be wished for in one go. */
export interface ClientChanges {
  readonly settings?: Partial<NewClient> | undefined
  readonly disabled?: boolean | undefined
  /** A new secret; the one before goes on for so long. */
  readonly overlapSeconds?: number | undefined
}

/** What came of it. */
export interface Amended {
  /** The new secret, if one was wished for. */
  readonly secret: string | undefined
  readonly sessions: number
}

/** A change of a client under the lock of its row, in the transaction of the caller. */
export class ClientAmendment {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /**
   * @throws ZodError naming the settings that are wrong
   * @throws ClientRefused
   */
  async apply(
    trx: Knex.Transaction,
    revoke: Revoke,
    id: string,
    { settings, disabled, overlapSeconds }: ClientChanges,
    actor: Actor,
  ): Promise<Amended> {
    const { now, trail } = this.#rooms
    const row: ClientRow | undefined = await trx('clients').where({ id }).forUpdate().first()
    if (!row) throw unknownClient(id)
    if (settings) await this.#set(trx, row, settings, actor)
    const sessions = disabled ? await this.#disable(trx, revoke, id, actor) : 0
    if (disabled === false) await this.#enable(trx, row, actor)
    if (overlapSeconds === undefined) return { secret: undefined, sessions }
    if (!usesSecret(clientOf(row))) throw new ClientRefused(`The client ${id} has no secret.`)
    const secret = await addSecret(trx, id, overlapSeconds, now())
    await trail.record(trx, 'client.secret_rotated', id, actor, { overlapSeconds })
    return { secret, sessions }
  }

  /** Checked as a whole: what is new may not go with what stays. */
  async #set(
    trx: Knex.Transaction,
    row: ClientRow,
    settings: Partial<NewClient>,
    actor: Actor,
  ): Promise<void> {
    const { id } = row
    const { trail, accessTokenMaxSeconds } = this.#rooms
    const wished = newClient.parse({ ...clientOf(row), ...settings, id })
    const columns = columnsOf(wished, accessTokenMaxSeconds)
    await trx('clients').where({ id }).update(columns)
    await trail.record(trx, 'client.changed', id, actor, { fields: Object.keys(settings) })
  }

  async #disable(trx: Knex.Transaction, revoke: Revoke, id: string, actor: Actor): Promise<number> {
    const { end, trail } = this.#rooms
    const sessions = await end.disable(trx, revoke, id)
    await trail.record(trx, 'client.disabled', id, actor, { sessions })
    return sessions
  }

  async #enable(trx: Knex.Transaction, { id, disabled_at }: ClientRow, actor: Actor) {
    const { end, trail } = this.#rooms
    if (disabled_at) await end.refuseWhileRevoked(id)
    await trx('clients').where({ id }).update({ disabled_at: null })
    await trail.record(trx, 'client.enabled', id, actor)
  }
}
