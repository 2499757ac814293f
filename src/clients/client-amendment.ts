import { isDeepStrictEqual } from 'node:util'
import type { Knex } from 'knex'
import type { Actor } from '../audit/actor.ts'
import type { Now } from '../clock.ts'
import type { Revoke } from '../revocations/revocations.ts'
import { type ClientRow, clientOf, usesSecret } from './client.ts'
import { columnsOf } from './client-columns.ts'
import type { ClientEnd, EndedSessions } from './client-end.ts'
import { ClientError, unknownClient } from './client-error.ts'
import type { ClientTrail } from './client-trail.ts'
import { type NewClient, newClient } from './new-client.ts'
import { addSecret } from './secret-slots.ts'

interface Dependencies {
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
export interface Amended extends EndedSessions {
  /** The new secret, if one was wished for. */
  readonly secret: string | undefined
}

/** A change of a client under the lock of its row, in the transaction of the caller. */
export class ClientAmendment {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
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
    const { now, trail } = this.#deps
    const row: ClientRow | undefined = await trx('clients').where({ id }).forUpdate().first()
    if (!row) throw unknownClient(id)
    if (settings) await this.#set(trx, row, settings, actor)
    const ended = await this.#disableOrEnable(trx, revoke, row, disabled, actor)
    if (overlapSeconds === undefined) return { secret: undefined, ...ended }
    if (!usesSecret(clientOf(row))) throw new ClientError(`The client ${id} has no secret.`)
    const secret = await addSecret(trx, id, overlapSeconds, now())
    await trail.record(trx, 'client.secret_rotated', id, actor, { overlapSeconds })
    return { secret, ...ended }
  }

  /** Checked as a whole: what is new may not go with what stays. */
  async #set(
    trx: Knex.Transaction,
    row: ClientRow,
    settings: Partial<NewClient>,
    actor: Actor,
  ): Promise<void> {
    const { id } = row
    const { trail, accessTokenMaxSeconds } = this.#deps
    const wished = newClient.parse({ ...clientOf(row), ...settings, id })
    const columns = columnsOf(wished, accessTokenMaxSeconds)
    const fields = changedFields(row, wished, Object.keys(settings))
    if (fields.length === 0) return
    await trx('clients').where({ id }).update(columns)
    await trail.record(trx, 'client.changed', id, actor, { fields })
  }

  /** Nothing is written about a client that is as it was wished for. */
  async #disableOrEnable(
    trx: Knex.Transaction,
    revoke: Revoke,
    { id, disabled_at: disabledAt }: ClientRow,
    disabled: boolean | undefined,
    actor: Actor,
  ): Promise<EndedSessions> {
    const { end, trail } = this.#deps
    const none = { sessions: 0, more: false }
    if (disabled === undefined || disabled === (disabledAt !== null)) return none
    if (disabled) {
      const ended = await end.disable(trx, revoke, id)
      await trail.record(trx, 'client.disabled', id, actor, { ...ended })
      return ended
    }
    await end.refuseWhileRevoked(id)
    await end.refuseWhileEnding(trx, id)
    await trx('clients').where({ id }).update({ disabled_at: null })
    await trail.record(trx, 'client.enabled', id, actor)
    return none
  }
}

/** Which of the settings that are named are other than before. */
function changedFields(row: ClientRow, wished: object, named: readonly string[]): string[] {
  const before = clientOf(row) as object as Record<string, unknown>
  const after = wished as Record<string, unknown>
  return named.filter((field) => !isDeepStrictEqual(before[field], after[field]))
}
