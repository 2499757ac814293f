import type { Knex } from 'knex'
import { AuditLog } from '../../audit/audit-log.ts'
import type { Now } from '../../clock.ts'
import { whatToDo } from '../../stores/unavailable.ts'
import { moment } from '../output.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

/** More behind than this, and a failover loses what people notice. */
const mostBehindBytes = 16 * 1024 * 1024

/** Checks that a commit is answered, and what would be left if the machine of the database were lost. */
export async function checkReplication(db: Knex, now: Now): Promise<Finding[]> {
  const standbys = await standbysOf(db)
  return [await committing(db, now), ...standbys, await archiving(db)]
}

/** The only check that leaves something behind: an event of the audit trail. */
async function committing(db: Knex, now: Now): Promise<Finding> {
  const startedAt = performance.now()
  try {
    await new AuditLog(db, now).record({ event: 'doctor.checked' })
    const milliseconds = Math.round(performance.now() - startedAt)
    return ok('commit', `an audit event was committed in ${milliseconds} ms`)
  } catch (error) {
    const { rows } = await db.raw(`SELECT current_setting('synchronous_standby_names') AS names`)
    const names: string = rows[0].names
    if (names === '') return failed('commit', (error as Error).message, whatToDo(error))
    return failed(
      'commit',
      `gets no answer; synchronous_standby_names is '${names}'`,
      'A synchronous standby is away or hangs: docs/failover.md says how to go on without it.',
    )
  }
}

interface Standby {
  readonly name: string
  readonly state: string | null
  readonly sync: string | null
  readonly behind: string | null
}

async function standbysOf(db: Knex): Promise<Finding[]> {
  const { rows: standbys } = await db.raw<{ rows: Standby[] }>(
    `SELECT application_name AS name, state, sync_state AS sync,
            pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS behind
       FROM pg_stat_replication WHERE application_name <> 'pg_basebackup' ORDER BY 1`,
  )
  const { rows } = await db.raw(`SELECT current_setting('synchronous_standby_names') AS names`)
  const names: string = rows[0].names
  if (standbys.some(({ state }) => state === null)) {
    const advice = 'Run GRANT pg_monitor TO its user, so that the doctor sees them.'
    return [warning('standbys', `${standbys.length}, whose state the user may not see`, advice)]
  }
  if (standbys.length === 0) {
    const advice = 'If its machine is lost, so is what came after the last backup: docs/failover.md'
    return [warning('standbys', 'none is connected', advice)]
  }
  return [...standbys.map(standby), ...synchronous(names, standbys)]
}

function standby({ name, state, sync, behind }: Standby): Finding {
  const bytes = Number(behind ?? 0)
  const message = `${name} is ${state}, ${sync}, ${(bytes / 1024 / 1024).toFixed(1)} MiB behind`
  if (state !== 'streaming' || bytes > mostBehindBytes) {
    return warning('standbys', message, 'A failover to it loses what it lacks: docs/failover.md')
  }
  return ok('standbys', message)
}

function synchronous(names: string, standbys: readonly Standby[]): Finding[] {
  if (names === '') return []
  const count = standbys.filter(({ sync }) => sync !== 'async').length
  const message = `${count} of synchronous_standby_names '${names}' connected`
  if (count === 0) {
    return [failed('commit waits', message, 'No commit is answered until one connects.')]
  }
  const advice = 'When it goes, no commit is answered: use ANY 1 with two standbys.'
  return count === 1 ? [warning('commit waits', message, advice)] : [ok('commit waits', message)]
}

async function archiving(db: Knex): Promise<Finding> {
  const { rows } = await db.raw<{
    rows: [{ mode: string; archived: Date | null; failed: Date | null }]
  }>(
    `SELECT current_setting('archive_mode') AS mode, last_archived_time AS archived,
            last_failed_time AS failed
       FROM pg_stat_archiver`,
  )
  const [{ mode, archived, failed: failedAt }] = rows
  if (mode === 'off') return ok('archive', 'the WAL is not archived by PostgreSQL itself')
  if (failedAt && (!archived || failedAt > archived)) {
    const message = `archiving the WAL has failed since ${moment(archived ?? failedAt)}`
    return failed('archive', message, 'The disk fills up with WAL: see the log of PostgreSQL.')
  }
  return ok('archive', `the WAL was archived last at ${moment(archived)}`)
}
