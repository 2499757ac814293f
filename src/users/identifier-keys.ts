import type { Db } from '../stores/postgres.ts'
import { emailColumns, type UserRow, usernameColumns } from './user.ts'

/** A walk is slow on purpose: nothing waits for it, because people without a key are found as well. */
const rowsPerStep = 5000

/**
 * Gives the next people after `cursor` the keys of their names, if they lack them or the release
 * before has changed a name and not its key. Goes as soon as that release can run no more: see ADR 28.
 */
export async function fillIdentifierKeys(
  db: Db,
  cursor: string | null,
): Promise<{ rows: number; cursor: string | null; done: true }> {
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
  const { rowCount } = await db.raw<{ rowCount: number }>(
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
                         WHERE other.id <> named.id AND other.email_key = named.email_key)`,
    [JSON.stringify(wrong)],
  )
  const last = people.length < rowsPerStep ? undefined : people.at(-1)
  return { rows: rowCount, cursor: last?.id ?? null, done: true }
}
