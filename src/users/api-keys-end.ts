import type { Knex } from 'knex'
import type { Revoke } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'

/**
 * Ends every API key of a person and says how many there were. The access tokens that keys were exchanged for carry the id of the
 * key as their `sid`.
 */
export async function deleteApiKeys(
  trx: Knex.Transaction,
  revoke: Revoke,
  families: RefreshFamilies,
  userId: string,
): Promise<number> {
  const gone: { id: string }[] = await trx('api_keys')
    .where({ user_id: userId })
    .delete()
    .returning('id')
  await revoke(...gone.map(({ id }) => families.revocationOf(id)))
  return gone.length
}
