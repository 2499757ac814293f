import { readFile } from 'node:fs/promises'
import test from 'ava'
import { drills } from './drills/drills.ts'
import { faults } from './drills/faults.ts'
import { chapterOf } from './support/docs/documents.ts'

test('docs/operations.md has a row for each fault of the drills, and no session is lost in any', async (t) => {
  const chapter = chapterOf(
    await readFile('docs/operations.md', 'utf8'),
    'Faults, and what they cost',
  )
  const rows = chapter
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
  const expected = [...Object.keys(faults), ...Object.values(drills).map(({ fault }) => fault)]
  t.deepEqual(
    rows.map(([fault]) => fault),
    expected,
  )
  for (const [fault, lost] of rows) t.regex(lost ?? '', /^0 of \d+$/, fault)
})
