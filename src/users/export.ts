import type { Knex } from 'knex'
import { writePersonLine } from './person-line.ts'
import type { UserRow } from './user.ts'

const peoplePerPage = 1000

/**
 * Everybody, in the lines that `users import` reads, a page of them at a time and each page as many
 * lines. It holds the password hashes. Whoever comes or goes meanwhile may be in it or not.
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
