import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { variables } from '../../src/config/environment.ts'
import { fileVariables } from '../../src/config/secret-files.ts'

const names = readdirSync('deploy', { recursive: true, withFileTypes: true })
const paths = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
const files = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]))
const readme = files.get('deploy/README.md') ?? ''

test('deploy/README.md → lists every folder', (t) => {
  const folders = names.filter((one) => one.isDirectory() && one.parentPath === 'deploy')
  t.true(folders.length >= 3)
  for (const { name } of folders) t.regex(readme, new RegExp(`\\[${name}/\\]\\(${name}\\)`))
})

test('deploy/README.md → lists every placeholder, and no other', (t) => {
  const used = new Set<string>()
  for (const [path, text] of files) {
    if (path === 'deploy/README.md') continue
    for (const [found] of text.matchAll(/REPLACE_[A-Z0-9_]+/g)) used.add(found)
  }
  const rows = readme.match(/^\| `REPLACE_.*?\|/gm) ?? []
  const listed = rows.flatMap((row) => row.match(/REPLACE_[A-Z0-9_]+/g) ?? [])
  t.true(used.size >= 4)
  t.deepEqual(listed.sort(), [...used].sort())
})

test('deploy/ → no placeholder of another form', (t) => {
  const forms =
    /\b(TODO|FIXME|CHANGE_?ME|XXX+|YOUR_\w+|example\.(com|org|net))\b|<[a-z-]+>|\.example\b/i
  for (const [path, text] of files) t.notRegex(text, forms, path)
})

test('deploy/ → every environment variable exists', (t) => {
  const known = [...Object.keys(variables), ...fileVariables]
  const set = [...files].flatMap(([path, text]) =>
    [
      ...text.matchAll(/^(?:Environment=)?([A-Z][A-Z0-9_]+)=/gm),
      ...text.matchAll(/^\s*-? ?(?:name: )?"?([A-Z][A-Z0-9]*_[A-Z0-9_]+|ISSUER|PORT|HOST)"?:? /gm),
      ...text.matchAll(/^\s*- name: ([A-Z][A-Z0-9_]+)$/gm),
    ].map(([, name = '']) => ({ path, name })),
  )
  t.true(set.length >= 10)
  t.deepEqual(
    set.filter(({ name }) => !known.includes(name)),
    [],
  )
})
