import { readFile } from 'node:fs/promises'
import test from 'ava'
import { startServer } from './support/server/start-server.ts'

const page = () => readFile('docs/compliance.md', 'utf8')

/** The rows of the table below a heading, as cells. */
const rowsOf = (text: string, heading: string): string[][] => {
  const [, chapter = ''] = text.split(`\n## ${heading}\n`)
  const [own = ''] = chapter.split('\n## ')
  return [...own.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | '))
}

/** Without the partitions of a table. */
const tables = `SELECT relname FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`

test('docs/compliance.md → says of every table what it stores about people', async (t) => {
  const { db } = await startServer(t)
  const { rows } = await db.raw<{ rows: { relname: string }[] }>(tables)
  const real = rows.map(({ relname }) => relname)
  const listed = rowsOf(await page(), 'Data about people').flatMap(
    ([names = '']) => names.match(/(?<=`)\w+(?=`)/g) ?? [],
  )
  t.deepEqual(listed.sort(), real.sort())
})

test('docs/compliance.md → a table with a column for a person is not said to have nothing', async (t) => {
  const { db } = await startServer(t)
  const columns = ['user_id', 'subject', 'ip', 'user_agent', 'email', 'recipient', 'username']
  const personal: string[] = await db('information_schema.columns')
    .where({ table_schema: 'public' })
    .whereIn('column_name', columns)
    .distinct()
    .pluck('table_name')
  const empty = rowsOf(await page(), 'Data about people').filter(([, about]) => about === 'nothing')
  t.true(personal.length >= 10)
  for (const [names = ''] of empty) {
    for (const table of personal) t.false(names.includes(`\`${table}\``), table)
  }
})
