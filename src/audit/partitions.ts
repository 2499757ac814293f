import type { Knex } from 'knex'
import { OperatorError } from '../errors.ts'
import { inShortLock, type OnlineOptions, runOnline } from '../stores/online-steps.ts'
import type { Db } from '../stores/postgres.ts'
import type { RecordedEvent } from './audit-log.ts'

/**
 * `audit_events` in partitions by month, for those whose trail is too large to be swept by `DELETE`: a month is
 * dropped at once. It is an operator who changes the table (ADR 51), because the release before must not run
 * on it any more.
 */

/** A partition, with the end of its months; the one for events that no other takes has none. */
export interface AuditPartition {
  readonly name: string
  readonly until: Date | undefined
}

const table = 'audit_events'
const rest = `${table}_rest`
/** The events from before go on in the same table for so long: time to finish what was interrupted. */
const monthsBefore = 3
const monthsAhead = 12

export async function arePartitioned(db: Db): Promise<boolean> {
  const { rows } = await db.raw(
    `SELECT FROM pg_class WHERE oid = to_regclass('${table}') AND relkind = 'p'`,
  )
  return rows.length > 0
}

/** From when on the table refuses events, if `partition` was killed in the middle. */
export async function interruptedUntil(db: Db): Promise<Date | undefined> {
  const { rows } = await db.raw<{ rows: { until: Date }[] }>(
    `SELECT substring(pg_get_constraintdef(oid) FROM '''([^'']+)''')::timestamptz AS until
       FROM pg_constraint WHERE conrelid = to_regclass('${table}') AND conname = '${table}_until'`,
  )
  return rows[0]?.until
}

/** Oldest first. */
export async function auditPartitions(db: Db): Promise<AuditPartition[]> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid
      WHERE inhparent = to_regclass('${table}') ORDER BY 1`,
  )
  return rows.map(({ name }) => ({ name, until: untilOf(name) })).sort(byTime)
}

const byTime = (a: AuditPartition, b: AuditPartition) =>
  (a.until?.getTime() ?? Infinity) - (b.until?.getTime() ?? Infinity)

function untilOf(name: string): Date | undefined {
  const [, before, year, month] = /^audit_events_(until_)?(\d{4})_(\d{2})$/.exec(name) ?? []
  if (year === undefined) return undefined
  return new Date(Date.UTC(Number(year), Number(month) - (before ? 1 : 0), 1))
}

/** The first moment of the month that is so many months later, in UTC. */
const monthAfter = (at: Date, months: number): Date =>
  new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1))

const stamp = (at: Date): string => at.toISOString().slice(0, 7).replace('-', '_')

/**
 * Makes the table the first partition of a new one. Reading and writing go on, but for a moment at the end; an
 * interrupted run leaves the table as it was.
 * @throws OperatorError if it is partitioned already, or stays locked
 */
export async function partition(options: OnlineOptions, now: Date): Promise<void> {
  const { db, report } = options
  if (await arePartitioned(db)) throw new OperatorError('The audit trail is partitioned already.')
  const until = monthAfter(now, monthsBefore)
  const old = `${table}_until_${stamp(until)}`
  const unique = { index: `${table}_id_at`, unique: true, table, on: '(id, at)' }
  await runOnline([unique], { ...options, largeBytes: 0 })
  try {
    report('the rows are checked')
    await inShortLock(options, (trx) =>
      trx.raw(`
        ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${table}_until;
        ALTER TABLE ${table} ADD CONSTRAINT ${table}_until CHECK (at < '${until.toISOString()}') NOT VALID`),
    )
    await db.raw(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${table}_until`)
    await inShortLock(options, (trx) => exchange(trx, old, until))
  } catch (error) {
    await inShortLock(options, (trx) =>
      trx.raw(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${table}_until`),
    )
    throw error
  }
  await createMonths(options, now)
}

interface Index {
  readonly name: string
  readonly definition: string
}

async function exchange(trx: Knex.Transaction, old: string, until: Date): Promise<void> {
  await trx.raw(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
  const { rows: indexes } = await trx.raw<{ rows: Index[] }>(
    `SELECT relname AS name, pg_get_indexdef(indexrelid) AS definition
       FROM pg_index JOIN pg_class ON oid = indexrelid
      WHERE indrelid = '${table}'::regclass AND NOT indisprimary`,
  )
  const { rows: grants } = await trx.raw<{ rows: { grantee: string; privileges: string }[] }>(
    `SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
            string_agg(privilege_type, ', ') AS privileges
       FROM pg_class, aclexplode(relacl) WHERE oid = '${table}'::regclass GROUP BY 1`,
  )
  const { rows: numbers } = await trx.raw<{ rows: [{ next: string }] }>(
    `SELECT nextval(pg_get_serial_sequence('${table}', 'id')) AS next`,
  )
  const statements = [
    `ALTER TABLE ${table} RENAME TO ${old}`,
    `ALTER TABLE ${old} ALTER id DROP IDENTITY`,
    `ALTER TABLE ${old} DROP CONSTRAINT ${table}_pkey`,
    ...indexes.map(({ name }) => `ALTER INDEX ${name} RENAME TO ${name.replace(table, old)}`),
    `CREATE TABLE ${table} (LIKE ${old} INCLUDING DEFAULTS) PARTITION BY RANGE (at)`,
    `CREATE SEQUENCE ${table}_id_seq AS bigint START ${numbers[0].next} OWNED BY ${table}.id`,
    `ALTER TABLE ${table} ALTER id SET DEFAULT nextval('${table}_id_seq')`,
    ...indexes.map(onParent),
    `ALTER TABLE ${table} ATTACH PARTITION ${old} FOR VALUES FROM (MINVALUE) TO ('${until.toISOString()}')`,
    `ALTER TABLE ${old} DROP CONSTRAINT ${table}_until`,
    `CREATE TABLE ${rest} PARTITION OF ${table} DEFAULT`,
    ...grants.flatMap(({ grantee, privileges }) => [
      `GRANT ${privileges} ON ${table} TO ${grantee}`,
      `GRANT USAGE ON SEQUENCE ${table}_id_seq TO ${grantee}`,
    ]),
    protection,
  ]
  for (const statement of statements) await trx.raw(statement)
}

/** PostgreSQL finds the index of the partition by its definition. */
const onParent = ({ name, definition }: Index): string =>
  definition.replace(/INDEX \S+ ON (\S+\.)?audit_events /, `INDEX ${name} ON ${table} `)

/**
 * Releases that delete rows by their place in the table would delete others in other partitions: no row is
 * deleted but by the maintenance.
 */
const protection = `
  CREATE OR REPLACE FUNCTION ${table}_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit events in partitions are dropped by signet audit maintain'; END $$;
  CREATE TRIGGER ${table}_keep BEFORE DELETE ON ${table} FOR EACH ROW
    WHEN (current_setting('signet.maintains', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION ${table}_keep()`

/**
 * Creates the partitions of the coming year that are missing, and moves events there that had none.
 * @returns their names
 */
export async function createMonths(options: OnlineOptions, now: Date): Promise<string[]> {
  const existing = await auditPartitions(options.db)
  const names = new Set(existing.map(({ name }) => name))
  const last = existing.filter(({ name }) => name.includes('_until_')).at(-1)?.until
  const created: string[] = []
  for (let month = 0; month <= monthsAhead; month += 1) {
    const from = monthAfter(now, month)
    const name = `${table}_${stamp(from)}`
    if (names.has(name) || (last && from < last)) continue
    await inShortLock(options, (trx) => createMonth(trx, name, from))
    created.push(name)
  }
  return created
}

async function createMonth(trx: Knex.Transaction, name: string, from: Date): Promise<void> {
  const [start, end] = [from.toISOString(), monthAfter(from, 1).toISOString()]
  await trx.raw(`SET LOCAL signet.maintains = 'on'`)
  await trx.raw(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
  await trx.raw(`CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS)`)
  await trx.raw(
    `WITH moved AS (DELETE FROM ${rest} WHERE at >= ? AND at < ? RETURNING *)
     INSERT INTO ${name} SELECT * FROM moved`,
    [start, end],
  )
  await trx.raw(
    `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${start}') TO ('${end}')`,
  )
}

/** A page of its events, in the order of their ids. */
export async function eventsOf(
  db: Db,
  { name }: AuditPartition,
  after: string,
  limit: number,
): Promise<RecordedEvent[]> {
  return db<RecordedEvent>(name).where('id', '>', after).orderBy('id').limit(limit)
}

/** Removes a partition with all of its events. */
export async function dropPartition(
  options: OnlineOptions,
  { name }: AuditPartition,
): Promise<void> {
  await inShortLock(options, (trx) => trx.raw(`DROP TABLE ${name}`))
}
