import type { Knex } from 'knex'
import { RevocationLog } from '../revocations/revocation-log.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Whether the log of revocations is one that its readers can follow. */
export async function checkRevocations(db: Knex): Promise<Finding[]> {
  return [await origin(db)]
}

async function origin(db: Knex): Promise<Finding> {
  const log = new RevocationLog(db, () => new Date())
  if (!(await log.hasForeign())) return ok('revocations', 'the log bears numbers of this cluster')
  return warning(
    'revocations',
    'the log was restored from another cluster and bears transaction numbers of that one',
    'Start an instance: it renumbers them within a second. If this stays, look into its log.',
  )
}
