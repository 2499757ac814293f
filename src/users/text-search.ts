import type { Knex } from 'knex'
import type { UserRow } from './user.ts'

/**
 * Texts that are found anywhere in a name; of other texts names begin with them. There are such texts only
 * where an operator has built the index of docs/operations.md. It knows three letters at a time, and beyond
 * ASCII only what the locale of the database takes for letters.
 */
export async function partsOfNames(db: Knex): Promise<RegExp | undefined> {
  const { rows } = await db.raw(
    `SELECT lower('Ä') = 'ä' AS all_letters FROM pg_index
      WHERE indexrelid = to_regclass('users_text') AND indisvalid`,
  )
  if (rows.length === 0) return undefined
  return rows[0].all_letters ? /[\p{L}\p{N}]{3}/u : /[a-z0-9]{3}/i
}

/** Narrows a query to people whose username or address, or by parts their full name, has this text. */
export function withText(
  query: Knex.QueryBuilder<UserRow>,
  text: string,
  parts: RegExp | undefined,
): void {
  const isPart = parts?.test(text) ?? false
  const like = `${isPart ? '%' : ''}${text.replace(/[\\%_]/g, '\\$&')}%`
  const columns = isPart ? ['username', 'email', 'full_name'] : ['username', 'email']
  const matches = columns.map((column) => `lower(${column}) LIKE lower(?)`)
  query.whereRaw(`(${matches.join(' OR ')})`, Array(columns.length).fill(like))
}
