import type { Db } from '../stores/postgres.ts'
import type { Log } from '../telemetry/log.ts'
import { emailColumns, type UserRow, usernameColumns } from './user.ts'

/** Few, because nothing waits for it: people without a key are found as well. */
const rowsPerStep = 5000

/** Each conflict is logged once, although the task starts over again and again. */
const maxReported = 1000

export function fillIdentifierKeys(log: Log) {
  const reported = new Set<string>()
  return {
    name: 'identifier_keys',
    async sweep(db: Db, _limit: number, cursor: string | null) {
      const { left, ...result } = await fillNext(db, cursor)
      const fresh = left.filter((id) => !reported.has(id))
      for (const id of fresh.slice(0, maxReported - reported.size)) {
        reported.add(id)
        log.warn({ userId: id }, 'two people have the same username or email: rename one of them')
      }
      return result
    },
  }
}

/**
 * Fills the keys of the next people after `cursor`, where they are missing or the release before has
 * changed a name and not its key. To be deleted once that release can no longer run: see ADR 28.
 */
async function fillNext(
  db: Db,
  cursor: string | null,
): Promise<{ rows: number; cursor: string | null; done: true; left: string[] }> {
  const people: UserRow[] = await db('users')
    .where('id', '>', cursor ?? '00000000-0000-0000-0000-000000000000')
    .orderBy('id')
    .limit(rowsPerStep)
    .select('id', 'username', 'username_key', 'email', 'email_key')
  const outdated = people
    .map((row) => ({ row, keys: { ...usernameColumns(row.username), ...emailColumns(row.email) } }))
    .filter(
      ({ row, keys }) => row.username_key !== keys.username_key || row.email_key !== keys.email_key,
    )
    .map(({ row, keys }) => ({ id: row.id, ...keys }))
  const { rows: filled } = await db.raw<{ rows: { id: string }[] }>(
    // Only while the name is still the one that was read, and only if nobody else has the key.
    `UPDATE users SET username_key = named.username_key, email_key = named.email_key
       FROM jsonb_to_recordset(?::jsonb)
         AS named (id uuid, username text, username_key text, email text, email_key text)
      WHERE users.id = named.id
        AND users.username IS NOT DISTINCT FROM named.username
        AND users.email IS NOT DISTINCT FROM named.email
        AND NOT EXISTS (SELECT FROM users other
                         WHERE other.id <> named.id AND other.username_key = named.username_key)
        AND NOT EXISTS (SELECT FROM users other
                         WHERE other.id <> named.id AND other.email_key = named.email_key)
      RETURNING users.id`,
    [JSON.stringify(firstOfEach(outdated))],
  )
  const done = new Set(filled.map(({ id }) => id))
  const left = outdated.map(({ id }) => id).filter((id) => !done.has(id))
  const last = people.length < rowsPerStep ? undefined : people.at(-1)
  return { rows: filled.length, cursor: last?.id ?? null, done: true, left }
}

interface Keys {
  readonly username_key: string | null
  readonly email_key: string | null
}

/** If people have the same key, only the first gets it: a conflict would fail the statement for all. */
function firstOfEach<T extends Keys>(people: readonly T[]): T[] {
  const usernames = new Set<string>()
  const emails = new Set<string>()
  return people.filter(({ username_key: username, email_key: email }) => {
    if (username !== null && usernames.has(username)) return false
    if (email !== null && emails.has(email)) return false
    if (username !== null) usernames.add(username)
    if (email !== null) emails.add(email)
    return true
  })
}
