import type { Knex } from 'knex'
import { OperatorError } from '../src/errors.ts'

/**
 * Keys of names (ADR 28). The previous release uses `lower(username)` and `lower(email)`, whose unique
 * indexes stay until it is gone; the janitor fills the new columns in batches. Rows whose key differs
 * from what PostgreSQL makes of the name get their key now, because two users may have the same name
 * by the new rule. This locks no table, only the rows that it changes.
 */
export async function up(knex: Knex): Promise<void> {
  const different = await differentNames(knex)
  await refuseCollisions(knex, different)
  for (const piece of pieces(different)) {
    await knex.raw(
      `UPDATE users SET username_key = COALESCE(named.username_key, users.username_key),
                        email_key = COALESCE(named.email_key, users.email_key)
         FROM (SELECT id, max(key) FILTER (WHERE name = 'username') AS username_key,
                      max(key) FILTER (WHERE name = 'email') AS email_key
                 FROM jsonb_to_recordset(?::jsonb) AS one (id uuid, name text, key text)
                GROUP BY id) AS named
        WHERE users.id = named.id`,
      [JSON.stringify(piece)],
    )
  }
}

/** The keys are dropped with their columns. */
export async function down(): Promise<void> {}

interface DifferentName {
  id: string
  name: 'username' | 'email'
  key: string
}

interface Row {
  id: string
  username: string | null
  email: string | null
  lower_username: string | null
  lower_email: string | null
}

/** Lower case of ASCII is the same except in Turkish locales, where all names are checked. */
async function differentNames(knex: Knex): Promise<DifferentName[]> {
  const found: DifferentName[] = []
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const { rows } = await knex.raw<{ rows: Row[] }>(
      `SELECT id, username, email, lower(username) AS lower_username, lower(email) AS lower_email
         FROM users
        WHERE id > ? AND (username COLLATE "C" ~ '[^ -~]' OR email COLLATE "C" ~ '[^ -~]'
                          OR lower('I') <> 'i')
        ORDER BY id LIMIT 5000`,
      [after],
    )
    for (const { id, ...row } of rows) {
      const names = [
        { name: 'username', text: row.username, lower: row.lower_username },
        { name: 'email', text: row.email, lower: row.lower_email },
      ] as const
      for (const { name, text, lower } of names) {
        const key = text === null ? null : fold(text)
        if (key !== null && key !== lower) found.push({ id, name, key })
      }
    }
    const last = rows.at(-1)
    if (rows.length < 5000 || !last) return found
    after = last.id
  }
}

async function refuseCollisions(knex: Knex, different: readonly DifferentName[]): Promise<void> {
  const collisions: string[] = []
  for (const name of ['username', 'email'] as const) {
    const own = different.filter((one) => one.name === name)
    const holders = new Map<string, string[]>()
    for (const { id, key } of own) holders.set(key, [...(holders.get(key) ?? []), id])
    const ids = new Set(own.map(({ id }) => id))
    for (const piece of pieces([...holders.keys()])) {
      const { rows } = await knex.raw<{ rows: { id: string; key: string }[] }>(
        `SELECT id, lower(${name}) AS key FROM users WHERE lower(${name}) = ANY (?)`,
        [piece],
      )
      for (const { id, key } of rows) if (!ids.has(id)) holders.get(key)?.push(id)
    }
    for (const same of holders.values()) {
      if (same.length > 1) collisions.push(`${name} of ${same.sort().join(' and ')}`)
    }
  }
  if (collisions.length === 0) return
  throw new OperatorError(
    `Some users would have the same name, because upper and lower case are equal now. No name was changed. Rename or delete one of each, then migrate again:\n${collisions.slice(0, 100).join('\n')}`,
  )
}

function* pieces<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += 1000) yield all.slice(at, at + 1000)
}

/** As `foldIdentifier` was when this migration was written. */
function fold(text: string): string {
  const exceptions: Readonly<Record<string, string>> = { İ: 'i', ς: 'σ' }
  let key = text
  let before: string
  do {
    before = key
    const letters = [...key.normalize('NFKC').trim()]
    key = letters.map((letter) => exceptions[letter] ?? letter.toLowerCase()).join('')
  } while (key !== before)
  return key
}
