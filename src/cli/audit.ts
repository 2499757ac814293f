import { constants } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Knex } from 'knex'
import {
  type AuditPartition,
  arePartitioned,
  auditPartitions,
  createMonths,
  dropPartition,
  eventsOf,
  partition,
} from '../audit/partitions.ts'
import { later } from '../clock.ts'
import { OperatorError } from '../errors.ts'
import { openDatabase } from '../server/open-database.ts'
import { openingForCommand } from '../server/open-runtime.ts'
import { openDatabaseClock } from '../stores/database-clock.ts'
import type { OnlineOptions } from '../stores/online-steps.ts'
import { withoutTimeLimit } from '../stores/postgres.ts'
import { answers, example } from './output.ts'
import { openProgress } from './progress.ts'

export function auditCommand(program: Command): void {
  const audit = program.command('audit').description('keep a large audit trail in months')
  partitionCommand(audit)
  maintainCommand(audit)
}

interface Opened extends OnlineOptions {
  readonly now: Date
  readonly retentionDays: number
}

async function withOwner<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
  const opening = openingForCommand()
  const database = await openDatabase(opening)
  const unlimited = withoutTimeLimit(database.db)
  try {
    const { now } = await openDatabaseClock(database.pool)
    return await work({
      db: unlimited.db,
      largeBytes: 0,
      report: (sentence) => void process.stderr.write(`${sentence}\n`),
      now: now(),
      retentionDays: opening.config.AUDIT_RETENTION_DAYS,
    })
  } finally {
    await unlimited.close()
    await database.close()
  }
}

function partitionCommand(audit: Command): void {
  const command = audit
    .command('partition')
    .description(
      'keep the audit trail in partitions by month from now on; run it as the owner of the tables, when no ' +
        'instance of an earlier release is left',
    )
    .option('--yes', 'confirm: an earlier release cannot delete old events any more')
  example(command, 'signet audit partition --yes')
  answers<{ yes?: boolean }>(command, ({ yes }) => {
    if (!yes) {
      throw new OperatorError('Read docs/operations.md#a-large-audit-trail first, then add --yes.')
    }
    return withOwner(async (opened) => {
      await partition(opened, opened.now)
      const names = (await auditPartitions(opened.db)).map(({ name }) => name)
      const text = `The audit trail has ${names.length} partitions:\n  ${names.join('\n  ')}\nRun signet audit maintain every day.`
      return { json: { partitions: names }, text }
    })
  })
}

interface MaintainOptions {
  readonly export?: string
  readonly withoutExport?: boolean
}

function maintainCommand(audit: Command): void {
  const command = audit
    .command('maintain')
    .description(
      'create the partitions of the coming year, and export and drop those that are older than ' +
        'AUDIT_RETENTION_DAYS; run it every day as the owner of the tables',
    )
    .option('--export <folder>', 'write each partition to a file there before it is dropped')
    .option('--without-export', 'drop them without a copy')
  example(command, 'signet audit maintain --export /var/lib/signet-audit')
  answers<MaintainOptions>(command, (options) =>
    withOwner(async (opened) => {
      const { db, now, retentionDays } = opened
      if (!(await arePartitioned(db))) {
        throw new OperatorError('The audit trail is not partitioned: signet audit partition')
      }
      const created = await createMonths(opened, now)
      const limit = later(now, -retentionDays * 86_400)
      const old = (await auditPartitions(db)).filter(({ until }) => until && until <= limit)
      if (old.length > 0 && options.export === undefined && !options.withoutExport) {
        throw new OperatorError(
          `${old.map(({ name }) => name).join(', ')} can be dropped: add --export <folder>, or --without-export.`,
        )
      }
      for (const one of old) {
        if (options.export !== undefined) await exportPartition(db, one, options.export)
        await dropPartition(opened, one)
      }
      const dropped = old.map(({ name }) => name)
      const lines = [
        ...created.map((name) => `created ${name}`),
        ...dropped.map((name) => `dropped ${name}`),
      ]
      return {
        json: { created, dropped },
        text: lines.length === 0 ? 'Nothing was due.' : lines.join('\n'),
      }
    }),
  )
}

const pageEvents = 5000

/** JSON lines, complete or not there. */
async function exportPartition(db: Knex, partition: AuditPartition, folder: string): Promise<void> {
  const { name } = partition
  const file = join(folder, `${name}.jsonl`)
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW
  const output = await open(`${file}.partial`, flags, 0o600).catch((cause) => {
    throw new OperatorError(`${file}.partial cannot be written: ${cause.message}`, { cause })
  })
  const progress = openProgress(undefined)
  try {
    let written = 0
    let last = '0'
    for (;;) {
      const events = await eventsOf(db, partition, last, pageEvents)
      const end = events.at(-1)
      if (!end) break
      await output.appendFile(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
      last = end.id
      written += events.length
      progress.update(0, `${name}: ${written} events are exported`)
    }
    await output.sync()
  } finally {
    progress.end()
    await output.close()
  }
  await rename(`${file}.partial`, file)
}
