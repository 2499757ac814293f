import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Command } from 'commander'
import { AuditLog } from '../../audit/audit-log.ts'
import { OperatorError } from '../../errors.ts'
import { openDatabase } from '../../server/open-database.ts'
import { openingForCommand } from '../../server/open-runtime.ts'
import { openDatabaseClock } from '../../stores/database-clock.ts'
import { answers, example } from '../output.ts'
import { lineOf } from './journal-line.ts'

const pageEvents = 5000
/** More than the longest line. */
const tailBytes = 65_536

export function journalCommand(backup: Command): void {
  const command = backup
    .command('journal')
    .description(
      'append to a file what was revoked, ended, deleted or disabled since its last line; run it every minute ' +
        'and keep the file elsewhere than the database',
    )
    .argument('<file>', 'JSON lines with ids, without names or addresses; created if it is missing')
  example(command, 'signet backup journal /var/lib/signet-journal/journal.jsonl')
  answers(command, async (_options, file = '') => {
    const database = await openDatabase(openingForCommand())
    try {
      const { now } = await openDatabaseClock(database.pool)
      const appended = await append(file, new AuditLog(database.db, now))
      return { json: { appended }, text: `Events appended to ${file}: ${appended}.` }
    } finally {
      await database.close()
    }
  })
}

async function append(file: string, audit: AuditLog): Promise<number> {
  const journal = await openJournal(file)
  try {
    let last = await lastId(journal, file)
    await assertContinues(audit, last, file)
    let appended = 0
    for (;;) {
      const events = await audit.settledAfter(last, pageEvents)
      const end = events.at(-1)
      if (!end) break
      const lines = events.flatMap((event) => lineOf(event) ?? [])
      if (lines.length > 0) await journal.appendFile(lines.join(''))
      appended += lines.length
      last = end.id
    }
    await journal.sync()
    return appended
  } finally {
    await journal.close()
  }
}

async function openJournal(file: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NONBLOCK } = constants
  const journal = await open(file, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0o600).catch(
    (cause) => {
      throw new OperatorError(`${file} cannot be opened: ${cause.message}`, { cause })
    },
  )
  if ((await journal.stat()).isFile()) return journal
  await journal.close()
  throw new OperatorError(`${file} is not a file.`)
}

/** The id of the last line, after a line that an interrupted run has left half written is removed. */
async function lastId(journal: FileHandle, file: string): Promise<string> {
  const { size } = await journal.stat()
  const length = Math.min(size, tailBytes)
  const { buffer } = await journal.read(Buffer.alloc(length), 0, length, size - length)
  const end = buffer.lastIndexOf('\n') + 1
  if (end < length) await journal.truncate(size - length + end)
  const line = buffer.subarray(0, end).toString().trimEnd().split('\n').at(-1) ?? ''
  if (line === '' && length === size) return '0'
  try {
    return BigInt(JSON.parse(line).id).toString()
  } catch (cause) {
    throw new OperatorError(`The last line of ${file} is not one of a journal.`, { cause })
  }
}

/** A database that was restored from a backup counts its events again from there. */
async function assertContinues(audit: AuditLog, last: string, file: string): Promise<void> {
  const newest = await audit.newest()
  if (BigInt(newest?.id ?? 0) >= BigInt(last)) return
  throw new OperatorError(
    `${file} has events that the database lacks: it was restored from a backup. Run signet backup replay ${file}, then begin another journal.`,
  )
}
