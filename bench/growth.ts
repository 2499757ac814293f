import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { hash } from 'argon2'
import Table from 'cli-table3'
import type { Knex } from 'knex'
import { createMonths, dropPartition, partition } from '../src/audit/partitions.ts'
import { migrate, migrationSource } from '../src/stores/migrations.ts'
import type { OnlineStep } from '../src/stores/online-steps.ts'
import { openPostgres } from '../src/stores/postgres.ts'
import { app } from '../tools/fixtures.ts'
import { basic } from '../tools/http-client.ts'
import type { Plan, Sample, Work } from './flood-load.ts'
import { distribution, load } from './flood-run.ts'
import { startFloodServer } from './flood-server.ts'

/**
 * `npx tsx bench/growth.ts [--json] [--rows 1000000] [--refreshes 100] [--seconds 20]`: refreshes while it is
 * quiet, and again while a migration builds an index and fills a column of so many sessions; then the audit
 * trail is partitioned, and a month with so many events is dropped.
 */
const asJson = process.argv.includes('--json')
const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const rows = option('rows', 1_000_000)
const perSecond = option('refreshes', 100)
const seconds = option('seconds', 20)
const say = (line: string) => process.stderr.write(`• ${line}\n`)
const name = 'refresh_token'
const refreshes: Work[] = [{ name, perSecond, grant: 'refresh_token' }]
const logins: Work[] = [{ name: 'password', perSecond: 40, grant: 'password' }]

/** Sessions of other people, and events of a month that has passed. */
async function plant(db: Knex): Promise<void> {
  const piece = 200_000
  for (let planted = 0; planted < rows; planted += piece) {
    const count = Math.min(piece, rows - planted)
    await db.raw(
      `INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                     idle_expires_at, expires_at)
       SELECT gen_random_uuid(), gen_random_uuid(), ?, '{read,offline_access}', '{}', sha256('x'), now(), '{pwd}',
              now() + interval '20 days', now() + interval '30 days'
         FROM generate_series(1, ?)`,
      [app.id, count],
    )
    await db.raw(
      `INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
       SELECT now(), 'user.signed_in', gen_random_uuid(), ?, gen_random_uuid(), '192.0.2.1'
         FROM generate_series(1, ?)`,
      [app.id, count],
    )
    say(`${planted + count} of ${rows} sessions and events are planted`)
  }
  await db.raw('ANALYZE refresh_families')
  await db.raw('CHECKPOINT')
}

const later = '29990101000000_growth'
const online: readonly OnlineStep[] = [
  { table: 'refresh_families', key: 'sid', set: 'grown = client_id', where: 'grown IS NULL' },
  { index: 'refresh_families_grown', table: 'refresh_families', on: '(grown, sid)' },
]
const source: Knex.MigrationSource<string> = {
  ...migrationSource,
  getMigrations: async (extensions) => [
    ...(await migrationSource.getMigrations(extensions)),
    later,
  ],
  getMigration: async (wanted) =>
    wanted === later
      ? ({ online, up: async () => undefined, down: async () => undefined } as Knex.Migration)
      : migrationSource.getMigration(wanted),
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

const server = await startFloodServer(1, say)
const { db, close } = openPostgres({
  ...{ url: server.databaseUrl, poolSize: 4, timeoutSeconds: 3600 },
})
try {
  const password = 'a password of the growth'
  const cost = { memoryCost: 8192, timeCost: 1, parallelism: 1 }
  const usernames = await server.addPeople(1000, await hash(password, cost))
  await plant(db)
  const base: Plan = {
    ...{ base: server.url, origin: server.origin, authorization: basic(app), password, usernames },
    ...{ seconds, sources: 16, refreshTokens: [], works: refreshes },
  }
  say('begins sessions (10 s)')
  const begun = await load({ ...base, seconds: 10, works: logins })
  await sleep(3000)
  say(`quiet: ${perSecond} refreshes a second (${seconds} s)`)
  const quiet = await load({ ...base, refreshTokens: begun.refreshTokens })

  await db.raw('ALTER TABLE refresh_families ADD COLUMN grown text')
  const samples: Sample[] = []
  let isMigrating = true
  const migrating = timed(() => migrate(db, { source, largeBytes: 0, report: say })).finally(() => {
    isMigrating = false
  })
  let { refreshTokens } = quiet
  while (isMigrating) {
    const during = await load({ ...base, seconds: 10, refreshTokens })
    refreshTokens = during.refreshTokens
    samples.push(...during.samples)
  }
  const migrationSeconds = await migrating

  const options = { db, largeBytes: 0, report: say }
  const partitionSeconds = await timed(() => partition(options, new Date()))
  await createMonths(options, new Date())
  const [old] = await db
    .raw(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
      WHERE inhparent = 'audit_events'::regclass AND inhrelid::regclass::text LIKE '%until%'`,
    )
    .then(({ rows: found }) => found)
  const deleteSeconds = await timed(() =>
    db.transaction(async (trx) => {
      await trx.raw(`SET LOCAL signet.maintains = 'on'`)
      await trx.raw(
        `DELETE FROM ${old.name} WHERE id IN (SELECT id FROM ${old.name} ORDER BY id LIMIT ${rows / 10})`,
      )
    }),
  )
  const dropSeconds = await timed(() => dropPartition(options, old))
  const calm = distribution(quiet.samples, name)
  const busy = distribution(samples, name)
  const failures = samples.filter(({ status }) => status !== 200).length
  const result = {
    machine: `${availableParallelism()} cores, ${cpus()[0]?.model}, Node ${process.version}`,
    ...{ rows, perSecond, calm, busy, failures, ratio: busy.p99 / calm.p99 },
    ...{ migrationSeconds, partitionSeconds, dropSeconds, deleteSeconds },
  }
  process.stdout.write(asJson ? `${JSON.stringify(result, null, 2)}\n` : report(result))
} finally {
  await close()
  await server.close()
}

type Distribution = ReturnType<typeof distribution>

function report(result: {
  readonly machine: string
  readonly rows: number
  readonly calm: Distribution
  readonly busy: Distribution
  readonly failures: number
  readonly ratio: number
  readonly migrationSeconds: number
  readonly partitionSeconds: number
  readonly dropSeconds: number
  readonly deleteSeconds: number
}): string {
  const { rows, calm, busy } = result
  const table = new Table({
    style: { head: [], border: [] },
    head: ['refreshes', 'count', 'p50', 'p90', 'p99', 'max', 'p99 ratio'],
  })
  const figures = (one: Distribution) => [
    ...[one.count, ...[one.p50, one.p90, one.p99, one.max].map((ms) => `${ms.toFixed(1)} ms`)],
  ]
  table.push(['quiet', ...figures(calm), ''])
  table.push(['migration', ...figures(busy), `${result.ratio.toFixed(1)} (goal 2)`])
  return [
    `${result.machine}; ${rows} sessions and events, generator included`,
    table.toString(),
    `${result.failures} refreshes failed; the migration took ${result.migrationSeconds.toFixed(0)} s`,
    `partitioning ${rows} events took ${result.partitionSeconds.toFixed(1)} s; dropping them ${result.dropSeconds.toFixed(2)} s; deleting a tenth of them ${result.deleteSeconds.toFixed(1)} s`,
    '',
  ].join('\n')
}
