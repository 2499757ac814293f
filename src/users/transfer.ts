import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Argon2Parameters } from '../passwords/hash-formats.ts'
import type { Db } from '../stores/postgres.ts'
import { type PersonRow, readPersonLine, writePersonLine } from './person-line.ts'
import { type UserRow, userColumns } from './user.ts'

/** A line of the input; without text when it was too long or is not UTF-8. */
export interface Line {
  readonly number: number
  readonly text: string | undefined
}

export interface RefusedLine {
  readonly line: number
  readonly reason: string
}

/** The result for a batch of lines. */
interface ImportedBatch<L extends Line> {
  readonly last: L
  readonly imported: number
  /** People who exist already, with the same id, username and email as far as the line names them. */
  readonly skipped: number
  readonly refused: readonly RefusedLine[]
}

interface Dependencies {
  readonly db: Knex
  readonly audit: AuditTrail
  readonly now: Now
  /** The cost that this server hashes with, so that it can always import its own export. */
  readonly own: Argon2Parameters
}

const linesPerBatch = 500

/**
 * Imports people from another system, in a transaction for every 500 lines. A refused line does not
 * affect others, and existing people stay unchanged, so that the same file can be imported again after
 * an interruption.
 */
export async function* importPeople<L extends Line>(
  deps: Dependencies,
  lines: AsyncIterable<L>,
): AsyncGenerator<ImportedBatch<L>> {
  let batch: L[] = []
  for await (const line of lines) {
    batch.push(line)
    if (batch.length < linesPerBatch) continue
    yield await importBatch(deps, batch, line)
    batch = []
  }
  const last = batch.at(-1)
  if (last) yield await importBatch(deps, batch, last)
}

interface Candidate {
  readonly line: number
  readonly row: PersonRow
}

async function importBatch<L extends Line>(
  { db, audit, now, own }: Dependencies,
  lines: readonly L[],
  last: L,
): Promise<ImportedBatch<L>> {
  const refused: RefusedLine[] = []
  const readable: Candidate[] = []
  for (const { number: line, text } of lines) {
    if (text?.trim() === '') continue
    const read =
      text === undefined
        ? { reason: 'is longer than 64 KiB or not UTF-8' }
        : readPersonLine(text, now(), own)
    if ('row' in read) readable.push({ line, row: read.row })
    else refused.push({ line, reason: read.reason })
  }
  if (readable.length === 0) return { last, imported: 0, skipped: 0, refused }

  return db.transaction(async (trx) => {
    const erasing = await idsBeingErased(trx, readable)
    const candidates = readable.filter(({ row }) => !erasing.has(row.id))
    for (const { line, row } of readable) {
      if (erasing.has(row.id))
        refused.push({
          line,
          reason: 'id: a deleted person had it and is still being erased; try again later',
        })
    }
    const fresh = await insert(trx, candidates)
    const left = candidates.filter(({ line }) => !fresh.has(line))
    const taken = left.length > 0 ? await whyNotInserted(trx, left) : []
    if (fresh.size > 0) {
      const detail = { imported: fresh.size, lines: [lines[0]?.number, last.number] }
      await audit.record({ event: 'user.imported', detail }, trx)
    }
    const all = [...refused, ...taken].sort((a, b) => a.line - b.line)
    return { last, imported: fresh.size, skipped: left.length - taken.length, refused: all }
  })
}

/** Ids of deleted people whose traces are still being erased: a new person with that id would be erased too. */
async function idsBeingErased(trx: Knex.Transaction, readable: Candidate[]): Promise<Set<string>> {
  const ids = readable.filter(({ row }) => row.named).map(({ row }) => row.id)
  return new Set(await trx('deleted_users').whereIn('id', ids).pluck('id'))
}

/** @returns the lines that were inserted; of two equal people in one batch the first is inserted */
async function insert(trx: Knex.Transaction, candidates: Candidate[]): Promise<Set<number>> {
  const columns = [...userColumns, 'username_key', 'email_key', 'password_hash'].join(', ')
  const { rows } = await trx.raw<{ rows: { id: string }[] }>(
    `INSERT INTO users (${columns})
     SELECT ${columns} FROM jsonb_populate_recordset(NULL::users, ?::jsonb)
     ON CONFLICT DO NOTHING RETURNING id`,
    [JSON.stringify(candidates.map(({ row }) => row))],
  )
  const inserted = new Set(rows.map(({ id }) => id))
  const fresh = candidates.filter(({ row }) => inserted.delete(row.id))
  return new Set(fresh.map(({ line }) => line))
}

interface Holders {
  line: number
  id: string | null
  username: string | null
  email: string | null
}

/** Finds the owner of the id, the username and the address of each line: one person, or a conflict. */
async function whyNotInserted(trx: Db, left: Candidate[]): Promise<RefusedLine[]> {
  const conflicting = left.map(({ line, row }) => ({ ...row, line, id: row.named ? row.id : null }))
  const { rows } = await trx.raw<{ rows: Holders[] }>(
    `SELECT line.line, a.id, b.id AS username, c.id AS email
     FROM jsonb_to_recordset(?::jsonb) AS line (line int, id uuid, username text, username_key text,
                                                  email text, email_key text)
     LEFT JOIN users a ON a.id = line.id
     LEFT JOIN users b ON b.username_key = line.username_key
                        OR lower(b.username) IN (line.username_key, lower(line.username))
     LEFT JOIN users c ON c.email_key = line.email_key
                        OR lower(c.email) IN (line.email_key, lower(line.email))`,
    [JSON.stringify(conflicting)],
  )
  const holders = new Map(rows.map((row) => [row.line, row]))
  return conflicting.flatMap((person) => {
    const holder = holders.get(person.line)
    const named = (['id', 'username', 'email'] as const).filter((name) => person[name] !== null)
    const owners = new Set(named.map((name) => holder?.[name] ?? null))
    if (owners.size === 1 && !owners.has(null)) return []
    const taken = named.filter((name) => holder?.[name])
    return [{ line: person.line, reason: `${taken.join(' and ')}: taken by somebody else` }]
  })
}

const peoplePerPage = 1000

/**
 * Yields all people as pages of lines for `users import`, with their password hashes. People who are
 * added or deleted meanwhile may be missing or included.
 */
export async function* exportPeople(db: Knex): AsyncGenerator<readonly string[]> {
  let after: string | undefined
  for (;;) {
    const query = db<UserRow>('users').orderBy('id').limit(peoplePerPage)
    const rows: UserRow[] = await (after === undefined ? query : query.where('id', '>', after))
    if (rows.length > 0) yield rows.map(writePersonLine)
    if (rows.length < peoplePerPage) return
    after = rows.at(-1)?.id
  }
}
