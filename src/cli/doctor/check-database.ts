import type { Knex } from 'knex'
import { type Config, isLoopback } from '../../config/config.ts'
import type { DatabaseClock } from '../../stores/database-clock.ts'
import { inspectSchema } from '../../stores/migrations.ts'
import { whatToDo } from '../../stores/unavailable.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

interface Facts {
  version: number
  standby: boolean
  read_only: string
  synchronous_commit: string
  fsync: string
  max_connections: number
  reserved: number
  superuser: boolean
  tls: boolean | null
}

const facts = `
  SELECT current_setting('server_version_num')::int AS version,
         pg_is_in_recovery() AS standby,
         current_setting('transaction_read_only') AS read_only,
         current_setting('synchronous_commit') AS synchronous_commit,
         current_setting('fsync') AS fsync,
         current_setting('max_connections')::int AS max_connections,
         current_setting('superuser_reserved_connections')::int AS reserved,
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
         (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls`

/** Checks that PostgreSQL suits this release, accepts writes, and does not lose them. */
export async function checkDatabase(
  db: Knex,
  config: Config,
  databaseClock: DatabaseClock,
): Promise<Finding[]> {
  const { rows } = await db.raw<{ rows: Facts[] }>(facts)
  const [found] = rows
  if (!found) throw new Error('PostgreSQL returned no settings')
  return [
    version(found),
    role(found),
    durability(found),
    connections(found, config),
    clock(databaseClock),
    ...(found.standby || found.read_only === 'on' ? [] : [await writing(db)]),
    await schema(db, config),
    ...(config.production ? weaknesses(found, config) : []),
  ]
}

function version({ version }: Facts): Finding {
  const name = `PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}`
  return version >= 140_000
    ? ok('database', `${name} answers`)
    : failed('database', `${name} is too old`, 'Signet needs PostgreSQL 14 or newer.')
}

function role({ standby, read_only: readOnly }: Facts): Finding {
  const advice = 'Point DATABASE_URL at the primary.'
  if (standby) return failed('primary', 'this is a standby, which accepts no writes', advice)
  if (readOnly === 'on') return failed('primary', 'it accepts no writes (read-only)', advice)
  return ok('primary', 'it accepts writes')
}

function durability({ fsync, synchronous_commit: commit }: Facts): Finding {
  if (fsync !== 'on') {
    return failed(
      'durability',
      'fsync is off: a power failure can destroy the database',
      'Turn it on.',
    )
  }
  if (commit === 'off') {
    return warning(
      'durability',
      'synchronous_commit is off: a crash loses the latest revocations and rotations',
      'Turn it on for this database: ALTER DATABASE … SET synchronous_commit = on',
    )
  }
  return ok('durability', `synchronous_commit is ${commit}`)
}

/**
 * Writes a megabyte into a table that disappears with its transaction. Its rows are too short to be
 * compressed, and the table is on the disk of the database, so a full disk is noticed.
 */
async function writing(db: Knex): Promise<Finding> {
  try {
    await db.transaction(async (trx) => {
      await trx.raw(`SET LOCAL temp_tablespaces = ''`)
      await trx.raw(
        `CREATE TEMPORARY TABLE signet_doctor ON COMMIT DROP AS
         SELECT repeat('x', 1900) AS filling FROM generate_series(1, 560)`,
      )
    })
    return ok('writing', 'a megabyte was written and removed')
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (code === '42501') {
      const advice =
        'Run GRANT TEMPORARY ON DATABASE … TO its user, so that the doctor notices a full disk.'
      return warning('writing', 'not checked: temporary tables are not allowed', advice)
    }
    return failed(
      'writing',
      `PostgreSQL cannot write: ${message.split(' - ').at(-1)}`,
      whatToDo(error),
    )
  }
}

function connections({ max_connections: most, reserved }: Facts, config: Config): Finding {
  const size = config.DATABASE_POOL_SIZE
  const instances = Math.floor((most - reserved) / size)
  const message = `max_connections ${most} allows ${instances} instance(s) with DATABASE_POOL_SIZE ${size}`
  const advice = 'Lower DATABASE_POOL_SIZE, raise max_connections, or use PgBouncer.'
  if (instances < 1) return failed('connections', message, advice)
  // During a rolling restart two instances run.
  return instances < 2 ? warning('connections', message, advice) : ok('connections', message)
}

/** All instances use the clock of PostgreSQL; an instance whose own clock differs is not ready (ADR 25). */
function clock({ offsetSeconds, agrees }: DatabaseClock): Finding {
  const seconds = Math.abs(offsetSeconds)
  const message = `the clock of PostgreSQL is ${seconds.toFixed(1)} s ${offsetSeconds > 0 ? 'behind' : 'ahead of'} this one`
  if (!agrees) {
    const advice =
      'Synchronize both machines with NTP; until then instances on this machine are not ready.'
    return failed('clock', message, advice)
  }
  if (seconds > 2) return warning('clock', message, 'Synchronize both machines with NTP.')
  return ok('clock', 'agrees with the clock of PostgreSQL')
}

async function schema(db: Knex, config: Config): Promise<Finding> {
  const { state, pending, unknown } = await inspectSchema(db)
  if (state === 'ahead') {
    const message = `a newer release migrated it (unknown to this one: ${unknown.join(', ')})`
    return config.DATABASE_ALLOW_NEWER
      ? warning('schema', message, 'DATABASE_ALLOW_NEWER allows this; upgrade again soon.')
      : failed('schema', message, 'Start that release, or set DATABASE_ALLOW_NEWER=true.')
  }
  if (state === 'current') return ok('schema', 'matches this release')
  const message = `${pending.length} migration(s) are pending`
  return config.migrateOnStart
    ? warning('schema', message, 'The next start applies them; or run: signet migrate')
    : failed('schema', message, 'Run: signet migrate')
}

function weaknesses({ superuser, tls }: Facts, config: Config): Finding[] {
  const { hostname } = new URL(config.DATABASE_URL ?? 'postgres://localhost')
  const findings: Finding[] = []
  if (superuser) {
    const advice = 'Use a user that owns only this database.'
    findings.push(warning('production', 'the user of DATABASE_URL is a superuser', advice))
  }
  if (tls === false && !isLoopback(hostname)) {
    const advice = 'Add ?sslmode=verify-full to DATABASE_URL, unless the network is private.'
    findings.push(warning('production', 'DATABASE_URL leaves this machine unencrypted', advice))
  }
  return findings
}
