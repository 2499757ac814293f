import type { Knex } from 'knex'
import type { Config } from '../../config/config.ts'
import { skewSeconds } from '../../keyring/timing.ts'
import { RevocationLog } from '../../revocations/revocation-log.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Checks that instances can follow the revocation log. */
export async function checkRevocations(db: Knex, config: Config): Promise<Finding[]> {
  return [await origin(db), await tokenLife(db, config)]
}

/** Other instances may issue, or may recently have issued, tokens that live longer than configured here. */
async function tokenLife(db: Knex, config: Config): Promise<Finding> {
  const configured = config.ACCESS_TOKEN_MAX_SECONDS + skewSeconds
  const longest = await db('access_token_lives')
    .where('until', '>', db.fn.now())
    .orderBy('seconds', 'desc')
    .first('seconds', 'until')
  if (!longest || longest.seconds <= configured) {
    return ok('token life', `revocations are kept for ${configured} s`)
  }
  return warning(
    'token life',
    `an instance issued tokens that live for ${longest.seconds - skewSeconds} s, but ACCESS_TOKEN_MAX_SECONDS is ${config.ACCESS_TOKEN_MAX_SECONDS} here`,
    `If it was lowered, do nothing: revocations are kept for the longer lifetime until ${longest.until.toISOString()}. Otherwise set the same value on all instances.`,
  )
}

async function origin(db: Knex): Promise<Finding> {
  const log = new RevocationLog(db, () => new Date())
  if (!(await log.hasForeign()))
    return ok('revocations', 'the log has transaction numbers of this PostgreSQL cluster')
  return warning(
    'revocations',
    'the log was restored from another PostgreSQL cluster and has its transaction numbers',
    'Start an instance, which renumbers them within a second. If the warning remains, check its log.',
  )
}
