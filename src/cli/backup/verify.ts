import type { Command } from 'commander'
import type { Knex } from 'knex'
import { AuditLog } from '../../audit/audit-log.ts'
import type { Config } from '../../config/config.ts'
import { openAll } from '../../keyring/sealing.ts'
import { openDatabase } from '../../server/open-database.ts'
import { openingForCommand, readConfiguredMasterKeys } from '../../server/open-runtime.ts'
import { inspectSchema } from '../../stores/migrations.ts'
import { type Finding, failed, ok, report, warning } from '../doctor/finding.ts'
import { answers, example, moment } from '../output.ts'
import { type Manifest, readManifest } from './manifest.ts'

/** Counting the rows of a large database that was just restored takes its time. */
const mostSeconds = 600

export function verifyCommand(backup: Command): void {
  const command = backup
    .command('verify')
    .description(
      'check a database that was restored from a backup, in DATABASE_URL: its schema, whether the master ' +
        'keys open it, and how old it is; changes nothing',
    )
    .option(
      '--manifest <file>',
      'of the backup: check that all of it was restored, before a replay',
    )
  example(
    command,
    'DATABASE_URL=postgres://…/restored signet backup verify --manifest signet-2026-12-01.dump.json',
  )
  answers<{ manifest?: string }>(command, async (options) => {
    const manifest =
      options.manifest === undefined ? undefined : await readManifest(options.manifest)
    const opening = openingForCommand()
    const config = { ...opening.config, DATABASE_TIMEOUT_SECONDS: mostSeconds }
    const database = await openDatabase({ ...opening, config })
    try {
      const findings = await examine(database.db, config, manifest)
      const isFailed = findings.some(({ state }) => state === 'failed')
      return { json: { ok: !isFailed, findings }, text: report(findings), failed: isFailed }
    } finally {
      await database.close()
    }
  })
}

async function examine(
  db: Knex,
  config: Config,
  manifest: Manifest | undefined,
): Promise<Finding[]> {
  const found = await schema(db)
  if (found.state === 'failed') return [found]
  return [
    found,
    await masterKeys(db, config),
    await contents(db),
    ...(manifest ? [await restoration(db, manifest)] : []),
    await age(new AuditLog(db, () => new Date())),
  ]
}

async function schema(db: Knex): Promise<Finding> {
  const { state, pending, unknown } = await inspectSchema(db)
  if (state === 'ahead') {
    const message = `of a newer release (unknown to this one: ${unknown.join(', ')})`
    return failed('schema', message, 'Verify it with that release.')
  }
  if (state === 'current') return ok('schema', 'of this release')
  const { rows } = await db.raw(`SELECT to_regclass('signing_keys') IS NOT NULL AS present`)
  if (!rows[0].present) {
    return failed('schema', 'has no tables of Signet', 'Restore the backup into this database.')
  }
  const message = `of an earlier release: ${pending.length} migration(s) are pending`
  return warning('schema', message, 'After the restore run: signet migrate')
}

async function masterKeys(db: Knex, config: Config): Promise<Finding> {
  const keys = await readConfiguredMasterKeys(config)
  if (!keys) {
    const advice = 'Set KEYS_DIR or MASTER_KEYS to the master keys of the time of the backup.'
    return failed('master keys', 'none', advice)
  }
  const { opened, failures } = await openAll(db, keys)
  if (failures.length > 0) {
    const message = `${opened} secrets open, others do not\n${failures.slice(0, 10).join('\n')}`
    return failed('master keys', message, 'Put the master keys of the time of the backup back.')
  }
  return ok('master keys', `open all ${opened} secrets`)
}

async function contents(db: Knex): Promise<Finding> {
  const { rows } = await db.raw<{ rows: [Record<string, string>] }>(
    `SELECT (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM clients) AS clients,
            (SELECT count(*) FROM refresh_families WHERE revoked_at IS NULL AND expires_at > now()) AS sessions`,
  )
  const { people, clients, sessions } = rows[0]
  return ok('contents', `${people} people, ${clients} clients, ${sessions} sessions that live`)
}

/** pg_restore goes on after an error unless it is told not to, and a part looks like the whole. */
async function restoration(db: Knex, manifest: Manifest): Promise<Finding> {
  const { rows } = await db.raw<{ rows: [Record<string, string>] }>(
    `SELECT (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM clients) AS clients,
            (SELECT count(*) FROM refresh_families) AS sessions`,
  )
  const differences = (['people', 'clients', 'sessions'] as const)
    .filter((name) => Number(rows[0][name]) !== manifest[name])
    .map((name) => `${rows[0][name]} ${name} instead of ${manifest[name]}`)
  const { newest_event: event } = manifest
  const newest = await new AuditLog(db, () => new Date()).newest()
  if (newest?.id !== event?.id || newest?.at.toISOString() !== event?.at) {
    differences.push(`audit event ${newest?.id ?? 'none'} instead of ${event?.id ?? 'none'}`)
  }
  if (differences.length === 0) return ok('manifest', 'all of the backup is here')
  const advice =
    'Restore it into an empty database, with pg_restore --exit-on-error. A database that has served since, or ' +
    'into which a journal was replayed, differs as well.'
  return failed('manifest', differences.join(', '), advice)
}

async function age(audit: AuditLog): Promise<Finding> {
  const newest = await audit.newest()
  if (!newest) return warning('age', 'the audit trail is empty', 'Is this the right backup?')
  return warning(
    'age',
    `nothing that happened after ${moment(newest.at)} is in it`,
    'Before it serves: signet backup replay, with your journal (docs/operations.md)',
  )
}
