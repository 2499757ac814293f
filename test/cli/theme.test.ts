import test from 'ava'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { exampleTheme, svg, themeFolder } from '../support/server/theme-folder.ts'

const faulty = { 'theme.css': ':root {\n  --acent: #fff;\n  color: red\n}', 'logo.svg': '<svg>' }

test('a faulty theme → the server does not start, nothing is created, and every fault is named', async (t) => {
  const cwd = await emptyFolder(t)
  const env = { PORT: '0', ISSUER: 'http://127.0.0.1', THEME_DIR: await themeFolder(t, faulty) }
  for (const args of [['serve'], ['serve', '--workers', '2']]) {
    const { code, stderr } = await signet(args, { cwd, env })
    t.is(code, 1)
    t.regex(stderr, /^signet: The theme in .* has errors \(see docs\/themes\.md\):$/m)
    t.regex(stderr, /^ {2}theme\.css line 2: --acent is no property .* nearest is --accent/m)
    t.regex(stderr, /^ {2}theme\.css line 3: color: /m)
    t.regex(stderr, /^ {2}logo\.svg is not shown by browsers/m)
    t.notRegex(stderr, /PostgreSQL|^ +at /m)
  }
})

test('doctor → the faults of a theme fail, colors that are hard to read are warnings', async (t) => {
  const cwd = await emptyFolder(t)
  const findings = async (folder: string) => {
    const { json, code } = await signet(['doctor', '--json'], { cwd, env: { THEME_DIR: folder } })
    const all = json().findings as { check: string; state: string; message: string }[]
    return { code, of: all.filter(({ check }) => check === 'theme') }
  }
  const failed = await findings(await themeFolder(t, faulty))
  t.is(failed.code, 1)
  t.deepEqual(new Set(failed.of.map(({ state }) => state)), new Set(['failed']))
  t.is(failed.of.length, 3)
  const pale = { 'theme.css': ':root { --muted: light-dark(#bbb, #999) }', 'logo.svg': svg() }
  const warned = await findings(await themeFolder(t, pale))
  t.deepEqual(
    warned.of.map(({ state }) => state),
    ['ok', 'warning', 'warning'],
  )
  t.regex(warned.of[1]?.message ?? '', /--muted on --surface .* would do$/)
  t.deepEqual(
    (await findings(exampleTheme)).of.map(({ state }) => state),
    ['ok'],
  )
})
