import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import type { Revocations, Revoke } from '../revocations/revocations.ts'
import { endSomeOfClient } from '../sessions/client-sessions.ts'
import { ClientError, unknownClient } from './client-error.ts'

interface Dependencies {
  readonly revocations: Revocations
  readonly now: Now
  readonly rememberSeconds: number
}

const keysAtOnce = 1000

/** How many sessions ended at once, and whether the janitor ends more of them. */
export interface EndedSessions {
  readonly sessions: number
  readonly more: boolean
}

/** The end of a client: of its sessions and of every access token that it was given. */
export class ClientEnd {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Decided by two rows, however many sessions there are: those that are not ended here end later. */
  async disable(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<EndedSessions> {
    await trx('clients').where({ id }).update({ disabled_at: this.#deps.now() })
    await this.#revoke(revoke, id)
    await this.#endSomeKeys(trx, revoke, id)
    return this.#endSome(trx, id)
  }

  /** @throws ClientRefused when there is no such client */
  async delete(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<EndedSessions> {
    const found = await trx('clients').where({ id }).delete()
    if (found === 0) throw unknownClient(id)
    const deleted = { id, deleted_at: this.#deps.now() }
    await trx('deleted_clients').insert(deleted).onConflict('id').ignore()
    await this.#revoke(revoke, id)
    await this.#endSomeKeys(trx, revoke, id)
    return this.#endSome(trx, id)
  }

  /**
   * Nobody comes back to sessions and API keys of the time before: neither the client when it is enabled
   * nor another one that gets its id.
   * @throws ClientRefused
   */
  async refuseWhileEnding(trx: Knex.Transaction, id: string): Promise<void> {
    const { more } = await this.#endSome(trx, id)
    if (more) throw new ClientError(`The sessions of ${id} are still being ended: wait.`)
    // The janitor deletes them with the revocations of their tokens, which need more than this.
    const key = await trx('api_keys').where({ client_id: id }).first('id')
    if (key) throw new ClientError(`The API keys of ${id} are still being deleted: wait.`)
    await trx('deleted_clients').where({ id }).delete()
  }

  /**
   * The revocation names the client and no moment: new tokens would be dead as the old ones are.
   * @throws ClientRefused
   */
  async refuseWhileRevoked(id: string): Promise<void> {
    const { revocations, rememberSeconds } = this.#deps
    if (!(await revocations.holdAny([{ kind: 'client', value: id }]))) return
    const minutes = Math.ceil(rememberSeconds / 60)
    throw new ClientError(
      `The tokens of ${id} are revoked until the last has expired, ${minutes} minutes after it ended: wait, or take another id.`,
    )
  }

  #endSome(trx: Knex.Transaction, id: string): Promise<EndedSessions> {
    return endSomeOfClient(trx, id, this.#deps.now())
  }

  /** With the tokens that they were exchanged for, which are of other clients. The janitor ends the rest. */
  async #endSomeKeys(trx: Knex.Transaction, revoke: Revoke, id: string): Promise<void> {
    const { now, rememberSeconds } = this.#deps
    const some = trx('api_keys').where({ client_id: id }).limit(keysAtOnce).select('id')
    const ended: { id: string }[] = await trx('api_keys')
      .whereIn('id', some)
      .delete()
      .returning('id')
    const expiresAt = later(now(), rememberSeconds)
    await revoke(...ended.map((key) => ({ kind: 'sid' as const, value: key.id, expiresAt })))
  }

  #revoke(revoke: Revoke, id: string): Promise<void> {
    const { now, rememberSeconds } = this.#deps
    return revoke({ kind: 'client', value: id, expiresAt: later(now(), rememberSeconds) })
  }
}
