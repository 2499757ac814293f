import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Argument, type Command } from 'commander'
import { within } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { explain } from '../../server/explain.ts'
import { openDatabase } from '../../server/open-database.ts'
import { openDatabaseClock } from '../../stores/database-clock.ts'
import { openLog } from '../../telemetry/log.ts'
import { wholeNumber } from '../arguments.ts'
import { answers, example } from '../output.ts'
import { checkAudit } from './check-audit.ts'
import { checkConfiguration } from './check-configuration.ts'
import { checkDatabase } from './check-database.ts'
import { checkForwarding } from './check-forwarding.ts'
import { checkKeys, checkMasterKeys } from './check-keys.ts'
import { checkLogouts } from './check-logouts.ts'
import { checkRedis } from './check-redis.ts'
import { checkReplication } from './check-replication.ts'
import { checkRevocations } from './check-revocations.ts'
import { checkTheme } from './check-theme.ts'
import { type Finding, failed, ok, report, warning } from './finding.ts'
import { doctorArgon2 } from './recommend-argon2.ts'

/** The longest time for one kind of check. */
const mostSeconds = 15

export function doctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'check the installation and suggest fixes; changes nothing without --deep. With argon2: measure password ' +
        'checks on this machine for a few seconds and recommend settings',
    )
    .addArgument(new Argument('[check]', 'a single check').choices(['argon2']))
    .option(
      '--milliseconds <count>',
      'argon2: the longest time for one password check',
      wholeNumber,
      50,
    )
    .option(
      '--deep',
      'also commit an audit event, and look at standbys and the archive of PostgreSQL',
    )
  example(
    command,
    'signet doctor',
    'signet doctor --deep',
    'signet doctor --json',
    'signet doctor argon2',
  )
  answers<{ milliseconds: number; deep?: boolean }>(command, async (options, check) => {
    const { milliseconds, deep = false } = options
    if (check === 'argon2') return doctorArgon2(milliseconds)
    const findings = await examine(deep)
    const isFailed = findings.some(({ state }) => state === 'failed')
    return { json: { ok: !isFailed, findings }, text: report(findings), failed: isFailed }
  })
}

async function examine(deep: boolean): Promise<Finding[]> {
  const { config, findings } = checkConfiguration()
  if (!config) {
    const advice = 'Fix the configuration first.'
    return [...findings, warning('the rest', 'skipped', advice)]
  }
  const parts = await Promise.all([
    bounded('database', () => checkStores(config, deep)),
    bounded('master keys', () => checkMasterKeys(config)),
    bounded('redis', () => checkRedis(config)),
    bounded('proxies', () => checkForwarding(config)),
    bounded('theme', () => checkTheme(config)),
  ])
  return [...findings, ...parts.flat()]
}

/** Turns an unexpected error, and a check that takes too long, into a finding. */
async function bounded(check: string, run: () => Promise<Finding[]>): Promise<Finding[]> {
  const late = failed(check, `no answer within ${mostSeconds} s`, 'It hangs: start there.')
  try {
    return await within(mostSeconds, run(), [late])
  } catch (error) {
    return [{ check, state: 'failed', message: explain(error) }]
  }
}

/** Starts an embedded PostgreSQL for the duration of the checks, but never creates one. */
async function checkStores(config: Config, deep: boolean): Promise<Finding[]> {
  if (!config.DATABASE_URL && !existsSync(join(config.DATA_DIR, 'postgres', 'PG_VERSION'))) {
    return [ok('database', `none in ${config.DATA_DIR} yet: the first start creates one`)]
  }
  const database = await openDatabase({
    config: { ...config, DATABASE_POOL_SIZE: 2, DATABASE_TIMEOUT_SECONDS: 5 },
    log: openLog({ level: 'silent', format: 'json', fd: 2 }),
    notify: () => undefined,
    signal: AbortSignal.timeout((mostSeconds - 2) * 1000),
  })
  try {
    const clock = await openDatabaseClock(database.pool)
    const findings = await checkDatabase(database.db, config, clock)
    // The other checks need the tables of this release.
    if (findings.some(({ check, state }) => check === 'schema' && state !== 'ok')) return findings
    const keys = await bounded('keys', () => checkKeys(database.db, config, clock.now()))
    return [
      ...findings,
      ...keys,
      ...(await bounded('revocations', () => checkRevocations(database.db, config))),
      ...(await bounded('sign-out', () => checkLogouts(database.db, clock.now))),
      ...(await bounded('audit trail', () => checkAudit(database.db, clock.now()))),
      ...(deep ? await bounded('replication', () => checkReplication(database.db, clock.now)) : []),
    ]
  } finally {
    await database.close()
  }
}
