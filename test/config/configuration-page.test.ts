import { readFile } from 'node:fs/promises'
import test from 'ava'
import { variables } from '../../src/config/environment.ts'
import { configurationPage, pages } from '../support/docs/configuration-page.ts'

for (const [file, page] of Object.entries(pages)) {
  test(`${file} is what src/config/environment.ts says`, async (t) => {
    const advice = `${file} is out of date. Renew it: npx tsx test/support/docs/configuration-page.ts`
    t.is(await readFile(file, 'utf8').catch(() => ''), page(), advice)
  })
}

test('every variable is in the table with a meaning, in one of its sections', (t) => {
  const page = configurationPage()
  for (const name of Object.keys(variables)) {
    t.regex(page, new RegExp(`^\\| \`${name}\` \\|[^|]*\\| \\S.{8,} \\|$`, 'm'))
  }
  t.is(page.match(/^\| Variable/gm)?.length, page.match(/^## /gm)?.length)
  t.is(page.match(/^## /gm)?.length, 10)
})
