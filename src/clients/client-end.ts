import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import type { Revocations, Revoke } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import { ClientRefused, unknownClient } from './client-refused.ts'

interface Rooms {
  readonly revocations: Revocations
  readonly families: RefreshFamilies
  readonly now: Now
  readonly rememberSeconds: number
}

/** The end of a client: of its sessions and of every access token that it was given. */
export class ClientEnd {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** @returns how many sessions ended */
  async disable(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<number> {
    const disabledAt = trx.raw('COALESCE(disabled_at, ?)', [this.#rooms.now()])
    await trx('clients').where({ id }).update({ disabled_at: disabledAt })
    const sessions = await this.#endSessions(trx, revoke, id)
    await this.#revoke(revoke, id)
    return sessions
  }

  /**
   * @returns how many sessions ended
   * @throws ClientRefused when there is no such client
   */
  async delete(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<number> {
    const sessions = await this.#endSessions(trx, revoke, id)
    const found = await trx('clients').where({ id }).delete()
    if (found === 0) throw unknownClient(id)
    await this.#revoke(revoke, id)
    return sessions
  }

  /**
   * The revocation names the client and no moment: new tokens would be dead as the old ones are.
   * @throws ClientRefused
   */
  async refuseWhileRevoked(id: string): Promise<void> {
    const { revocations, rememberSeconds } = this.#rooms
    if (!(await revocations.holdAny([{ kind: 'client', value: id }]))) return
    const minutes = Math.ceil(rememberSeconds / 60)
    throw new ClientRefused(
      `The tokens of ${id} are revoked until the last has expired, ${minutes} minutes after it ended: wait, or take another id.`,
    )
  }

  async #endSessions(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<number> {
    const which = { client_id: id }
    const ended = await this.#rooms.families.end(trx, revoke, which, 'client_disabled')
    return ended.length
  }

  #revoke(revoke: Revoke, id: string): Promise<void> {
    const { now, rememberSeconds } = this.#rooms
    return revoke({ kind: 'client', value: id, expiresAt: later(now(), rememberSeconds) })
  }
}
