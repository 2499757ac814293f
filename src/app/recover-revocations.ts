import type { Knex } from 'knex'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Rotation } from '../keyring/rotation.ts'
import { RotationError } from '../keyring/rotation-plan.ts'
import { recover } from '../revocations/redis-copy.ts'
import type { Revocation, RevocationKind, RevocationLog } from '../revocations/revocation-log.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { Log } from '../telemetry/log.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'

interface Dependencies {
  readonly db: Knex
  readonly log: Log
  readonly revocationLog: RevocationLog
  readonly families: RefreshFamilies
  readonly apiKeys: ApiKeys
  readonly rotation: Rotation
  readonly audit: AuditLog
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Restores revocations that the database lost and Redis still has (ADR 26), and ends the sessions, API
 * keys and signing keys that they name. A client is not disabled again: the audit event names it, and
 * its tokens are refused until the last one expires.
 * @param found revocations that only Redis has, in batches
 */
export async function recoverRevocations(
  deps: Dependencies,
  found: AsyncIterable<readonly Revocation[]>,
): Promise<void> {
  const kids: string[] = []
  const end = async (trx: Knex.Transaction, lost: readonly Revocation[]) => {
    const valuesOf = (wanted: RevocationKind) =>
      lost.flatMap(({ kind, value }) => (kind === wanted ? [value] : []))
    const sids = valuesOf('sid').filter((sid) => uuid.test(sid))
    await deps.families.endRevoked(trx, sids)
    await deps.apiKeys.deleteRevoked(trx, sids)
    kids.push(...valuesOf('kid'))
    const detail = {
      tokens: valuesOf('jti').length,
      sessions: valuesOf('sid').length,
      clients: valuesOf('client'),
      keys: valuesOf('kid'),
    }
    await deps.audit.record({ event: 'revocations.recovered', detail }, trx)
  }
  const { db, revocationLog: log } = deps
  const count = await recover({ db, log, end }, found)
  for (const kid of kids) {
    await deps.rotation.revoke(kid).catch((error) => {
      if (!(error instanceof RotationError)) throw error
    })
  }
  if (count > 0) {
    deps.log.warn({ count }, 'revocations that the database had lost were restored from Redis')
  }
}
