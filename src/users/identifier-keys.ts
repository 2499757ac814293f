import type { Db } from '../stores/postgres.ts'
import type { Log } from '../telemetry/log.ts'
import { emailColumns, type UserRow, usernameColumns } from './user.ts'

/** A walk is slow on purpose: nothing waits for it, because people without a key are found as well. */
const rowsPerStep = 5000

/** Those who are in the log already: a walk begins again and again. */
const mostReported = 1000

export function fillingIdentifierKeys(log: Log) {
  const reported = new Set<string>()
  return {
    name: 'identifier_keys',
    async sweep(db: Db, _limit: number, cursor: string | null) {
      const { left, ...result } = await fillIdentifierKeys(db, cursor)
      const fresh = left.filter((id) => !reported.has(id))
      for (const id of fresh.slice(0, mostReported - reported.size)) {
        reported.add(id)
        log.warn({ userId: id }, 'somebody else has the same username or email, rename one of them')
      }
      return result
    },
  }
}

/**
 * Gives the next people after `cursor` the keys of their names, if they lack them or the release
 * before has changed a name and not its key. Goes as soon as that release can run no more: see ADR 28.
 */
async function fillIdentifierKeys(
  db: Db,
  cursor: string | null,
): Promise<{ rows: number; cursor: string | null; done: true; left: string[] }> {
  const people: UserRow[] = await db('users')
    .where('id', '>', cursor ?? '00000000-0000-0000-0000-000000000000')
    .orderBy('id')
    .limit(rowsPerStep)
    .select('id', 'username', 'username_key', 'email', 'email_key')
  const wrong = people
    .map((row) => ({ row, keys: { ...usernameColumns(row.username), ...emailColumns(row.email) } }))
    .filter(
      ({ row, keys }) => row.username_key !== keys.username_key || row.email_key !== keys.email_key,
    )
    .map(({ row, keys }) => ({ id: row.id, ...keys }))
  const { rows: filled } = await db.raw<{ rows: { id: string }[] }>(
    // Only while the name is the one that was read; somebody else's key is not taken from them.
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
    [JSON.stringify(firstOfEach(wrong))],
  )
  const done = new Set(filled.map(({ id }) => id))
  const left = wrong.map(({ id }) => id).filter((id) => !done.has(id))
  const last = people.length < rowsPerStep ? undefined : people.at(-1)
  return { rows: filled.length, cursor: last?.id ?? null, done: true, left }
}

interface Keys {
  readonly username_key: string | null
  readonly email_key: string | null
}

/** Of people whose names have one key the first gets it: two of them would fail the statement for all. */
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
