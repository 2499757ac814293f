import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

test('theme preview → every page of the server in light and dark, without a database', async (t) => {
  const cwd = await emptyFolder(t)
  const args = ['theme', 'preview', '--dir', exampleTheme, '--language', 'de']
  const { code, stdout, stderr } = await signet(args, { cwd, env: { NODE_ENV: 'production' } })
  t.is(code, 0, stderr)
  t.regex(stdout, /^--accent on --surface +a link on a panel +4\.5 +6\.\d\d +9\.\d\d$/m)
  t.regex(stdout, /pages in light and dark: open theme-preview\/index\.html in a browser$/m)
  const folder = join(cwd, 'theme-preview')
  const names = await readdir(join(folder, 'light'))
  t.deepEqual(await readdir(join(folder, 'dark')), names)
  t.true(names.length >= 40)
  const index = await readFile(join(folder, 'index.html'), 'utf8')
  for (const name of names) {
    const html = await readFile(join(folder, 'dark', name), 'utf8')
    t.true(index.includes(`src="light/${name}"`), name)
    t.regex(html, /<html lang="de" dir="ltr">/)
    t.notRegex(html, /<script|(?:src|href|action)="\//, name)
    const links = [...html.matchAll(/(?:src|href)="\.\.\/([^"]+)"/g)].map(([, file = '']) => file)
    t.true(links.includes('assets/theme.css'), name)
    for (const file of links) await t.notThrowsAsync(access(join(folder, file)), file)
  }
  t.deepEqual((await readdir(cwd)).sort(), ['theme-preview'])
})

test('theme preview → replaces the one before, and nothing else', async (t) => {
  const cwd = await emptyFolder(t)
  const preview = (out: string) => signet(['theme', 'preview', '--out', out, '--json'], { cwd })
  t.is((await preview('out')).code, 0)
  await writeFile(join(cwd, 'out', 'light', 'old.html'), '')
  const again = await preview('out')
  t.is(again.code, 0)
  t.deepEqual(again.json().warnings, [])
  t.false((await readdir(join(cwd, 'out', 'light'))).includes('old.html'))
  await mkdir(join(cwd, 'other'))
  await writeFile(join(cwd, 'other', 'index.html'), 'A page of mine.')
  const refused = await preview('other')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /other is not empty, and not a preview\. Name another folder with --out/)
  t.deepEqual(await readdir(join(cwd, 'other')), ['index.html'])
})

test('theme preview of a faulty theme → refused as at the start', async (t) => {
  const cwd = await emptyFolder(t)
  const folder = await themeFolder(t, faulty)
  const { code, stderr } = await signet(['theme', 'preview', '--dir', folder], { cwd })
  t.is(code, 1)
  t.regex(stderr, /^ {2}theme\.css line 2: --acent is no property/m)
  t.deepEqual(await readdir(cwd), [])
})
