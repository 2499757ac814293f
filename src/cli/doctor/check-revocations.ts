import type { Knex } from 'knex'
import type { Config } from '../../config/config.ts'
import { skewSeconds } from '../../keyring/timing.ts'
import { RevocationLog } from '../../revocations/revocation-log.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Whether the log of revocations is one that its readers can follow. */
export async function checkRevocations(db: Knex, config: Config): Promise<Finding[]> {
  return [await origin(db), await tokenLife(db, config)]
}

/** Instances may issue tokens that live longer than is configured here, or have done so lately. */
async function tokenLife(db: Knex, config: Config): Promise<Finding> {
  const configured = config.ACCESS_TOKEN_MAX_SECONDS + skewSeconds
  const longest = await db('access_token_lives')
    .where('until', '>', db.fn.now())
    .orderBy('seconds', 'desc')
    .first('seconds', 'until')
  if (!longest || longest.seconds <= configured) {
    return ok('token life', `revocations are remembered for ${configured} s`)
  }
  return warning(
    'token life',
    `an instance issued tokens that live for ${longest.seconds - skewSeconds} s; ACCESS_TOKEN_MAX_SECONDS here is ${config.ACCESS_TOKEN_MAX_SECONDS}`,
    `Nothing to do if it was lowered: revocations are remembered for the longer life until ${longest.until.toISOString()}. Otherwise give all instances the same value.`,
  )
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
