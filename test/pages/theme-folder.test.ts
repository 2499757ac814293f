import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { accountStylesheet } from '../../src/pages/account/stylesheet.ts'
import { languageOf } from '../../src/pages/languages/languages.ts'
import { stylesheet } from '../../src/pages/stylesheet.ts'
import { builtInTheme } from '../../src/pages/theme/theme.ts'
import { propertyNames } from '../../src/pages/theme/theme-css.ts'
import { readTheme, ThemeError } from '../../src/pages/theme/theme-folder.ts'
import { root } from '../../tools/root.ts'
import { blocksOf } from '../support/docs/documents.ts'
import { exampleTheme, svg, themeFolder } from '../support/server/theme-folder.ts'

/** The faults of a theme that is refused. */
async function faultsOf(folder: string): Promise<readonly string[]> {
  try {
    await readTheme(folder)
  } catch (error) {
    if (error instanceof ThemeError) return error.problems
    throw error
  }
  return []
}

const read = async (t: ExecutionContext, files: Readonly<Record<string, string>>) =>
  readTheme(await themeFolder(t, files))

test('the example theme → read without a warning', async (t) => {
  const { theme, warnings } = await readTheme(exampleTheme)
  t.deepEqual(warnings, [])
  t.deepEqual([...theme.files.keys()].sort(), ['favicon.svg', 'logo.svg', 'theme.css'])
  t.deepEqual([...theme.clientLogos.keys()], ['shop'])
})

const styles: readonly (readonly [css: string, fault: RegExp])[] = [
  ['@import url(other.css);', /^theme\.css line 1: @import .* is no rule: write only custom/],
  ['\n\n.card { display: none }', /^theme\.css line 3: \.card is not allowed/],
  [':root { color: red }', /^theme\.css line 1: color: write only custom properties/],
  [':root {\n--acent: #fff }', /line 2: --acent is no property .* nearest is --accent, .* --font$/],
  [':root { --accent: url(//evil.example) }', /--accent: url\(.* is no color: write #rrggbb/],
  [':root { --accent: var(--text) }', /--accent: var\(--text\) is no color/],
  [':root { --accent: #ffff }', /#ffff is no color/],
  [':root { --accent: light-dark(#fff) }', /is no color/],
  [':root { --accent: #fff !important }', /is no color/],
  [':root { --radius: calc(1px * 9) }', /--radius: .* write a length from 0 to 32px or 2rem$/],
  [':root { --radius: 33px }', /write a length/],
  [':root { --font: x, url(y) }', /--font: .* names of installed fonts/],
  [":root { --font: 'a\\27' }", /--font: /],
  [':root { --font: "a\\" }', /--font: /],
  ['@media print { :root { --text: #000 } }', /@media print is not allowed/],
  [
    '@media (prefers-color-scheme: dark) { :root { --radius: 0 } }',
    /--radius is the same in light and dark/,
  ],
  [':root { --text: #000', /the block does not end: add \}$/],
  ['/* :root {}', /the comment does not end: add \*\/$/],
  ['</style><script>', /is no rule/],
]

for (const [css, fault] of styles) {
  test(`theme.css is ${JSON.stringify(css)} → refused, with its line`, async (t) => {
    const faults = await faultsOf(await themeFolder(t, { 'theme.css': css }))
    t.is(faults.length, 1, faults.join('\n'))
    t.regex(faults[0] ?? '', fault)
  })
}

test('both ways to write dark colors → the same palette', async (t) => {
  const pair =
    ':root { --accent: light-dark(#036, #9CF); --radius: 0; --font: "ヒラギノ角ゴ W3", serif }'
  const block = `/* dark
    */ :root { --accent: #003366; } @media (prefers-color-scheme: dark) { :root { --accent: #9cf } }`
  const one = await read(t, { 'theme.css': pair })
  const other = await read(t, { 'theme.css': block })
  t.deepEqual(one.theme.palette.accent, ['#003366', '#99ccff'])
  t.deepEqual(other.theme.palette, one.theme.palette)
  t.deepEqual(one.theme.palette['on-accent'], ['#ffffff', '#000000'])
  const { body = '' } = one.theme.files.get('theme.css') ?? {}
  t.true(String(body).includes('--radius:0px;--font:"ヒラギノ角ゴ W3", serif'))
})

test('WCAG 2.2 §1.4.3: colors that are hard to read → a warning with the ratio and a color', async (t) => {
  const { warnings } = await read(t, { 'theme.css': ':root { --muted: #aaa; --accent: #767676 }' })
  const [first = ''] = warnings
  t.regex(
    first,
    /^theme\.css: --muted on --surface \(muted text on a panel, light\) has a contrast of 2\.32, and people need 4\.5: #7\w{5} would do$/,
  )
  t.true(warnings.some((line) => /--accent on --surface \(a link on a panel, dark\)/.test(line)))
  t.false(warnings.some((line) => /on-accent/.test(line)))
})

const texts: readonly (readonly [json: unknown, fault: RegExp])[] = [
  [{ pages: { sigIn: 'x' } }, /^texts\/en\.json line 1: pages\.sigIn .* nearest is pages\.signIn$/],
  [{ account: { overveiw: 'x' } }, /nearest is account\.overview$/],
  [{ signIn: 'x' }, /signIn is not allowed: the texts are members of pages and of account/],
  [{ pages: { signInTo: 'to {ap}' } }, /unknown placeholder \{ap\}: it can only have \{app\}/],
  [{ pages: { consentTitle: 'Allow?' } }, /lacks the placeholder \{app\}/],
  [{ pages: { signIn: 'to {app}' } }, /unknown placeholder \{app\}: this text has none/],
  [{ pages: { signIn: '' } }, /must be a text that is not empty/],
  [{ pages: { signIn: 'x'.repeat(1001) } }, /more than 1000 characters/],
  [{ pages: { signIn: 'a\u0007b' } }, /control characters/],
  [{ pages: { passwordFaults: { to_short: 'x' } } }, /nearest is pages\.passwordFaults\.too_short/],
  [{ pages: { scopes: { 'a b': 'x' } } }, /is no name of a scope/],
  [{ pages: { __proto__x: 'x' } }, /is no text of the pages/],
  [{ pages: { errorTooManyUntil: { few: 'x', other: 'x' } } }, /few is no plural .* one, other$/],
  [{ pages: { errorTooManyUntil: { one: 'x' } } }, /lacks the plural other/],
  [[], /must be an object with the members pages and account/],
]

for (const [json, fault] of texts) {
  const source = JSON.stringify(json).slice(0, 60)
  test(`a text is ${source} → refused, with its key`, async (t) => {
    const faults = await faultsOf(await themeFolder(t, { 'texts/en.json': JSON.stringify(json) }))
    t.is(faults.length, 1, faults.join('\n'))
    t.regex(faults[0] ?? '', fault)
  })
}

test('texts that are not JSON → refused, with the line', async (t) => {
  const faults = await faultsOf(await themeFolder(t, { 'texts/de.json': '{\n  "pages": {,\n}' }))
  t.regex(faults[0] ?? '', /^texts\/de\.json line 2: this is not JSON/)
})

test('texts of a theme → plurals of the language, and a value that looks like a placeholder stays', async (t) => {
  const { theme } = await read(t, {
    'texts/ar.json': JSON.stringify({
      pages: {
        errorTooManyUntil: { two: 'two', few: 'few {minutes}', other: '{minutes} others' },
        scopes: { 'orders:read': 'Orders' },
      },
      account: { deviceOn: '{system}/{browser}' },
    }),
  })
  const { messages, accountMessages } = languageOf('ar', theme.catalogues)
  t.deepEqual([2, 5, 100].map(messages.errorTooManyUntil), ['two', 'few 5', '100 others'])
  t.is(accountMessages.deviceOn('{system}', 'Linux'), 'Linux/{system}')
  t.is(messages.scopes['orders:read'], 'Orders')
  t.is(messages.scopes.openid, builtInTheme.catalogues.ar.pages.scopes.openid)
  t.is(theme.catalogues.en, builtInTheme.catalogues.en)
})

test('files that are too large, of another kind or with a wrong name → each is named', async (t) => {
  const folder = await themeFolder(t, {
    'theme.css': ' '.repeat(16 * 1024 + 1),
    'logo.svg': svg('x'.repeat(64 * 1024)),
    'logo.png': 'no image',
    'favicon.ico': 'no image',
    'texts/dee.json': '{}',
    'texts/en.json': ' '.repeat(256 * 1024 + 1),
    'clients/a b.svg': svg(),
    'clients/plain.svg': '<svg width="1" height="1"></svg>',
    'Theme.css': '',
    'notes.md': 'Notes are no part of a theme.',
    '.hidden': '',
  })
  await promisify(execFile)('mkfifo', [join(folder, 'favicon.svg')])
  const faults = (await faultsOf(folder)).join('\n')
  for (const fault of [
    /^theme\.css has more than 16 KB/m,
    /^logo\.svg has more than 64 KB/m,
    /^logo\.png is not a PNG image/m,
    /^logo\.png and logo\.svg: keep one of them/m,
    /^favicon\.ico is not an ICO image/m,
    /^favicon\.svg is not a file/m,
    /^texts\/dee\.json is no file of a theme; the nearest is texts\/de\.json/m,
    /^texts\/en\.json has more than 256 KB/m,
    /^clients\/a b\.svg is not named <client id>\.svg/m,
    /^clients\/plain\.svg is not shown by browsers: add xmlns/m,
    /^Theme\.css is no file of a theme; the nearest is theme\.css/m,
  ]) {
    t.regex(faults, fault)
  }
  t.notRegex(faults, /notes|hidden/)
})

test('ASVS 5.3.2: a symbolic link out of the folder → refused; one inside of it → read', async (t) => {
  const outside = await themeFolder(t, { 'logo.svg': svg() })
  const folder = await themeFolder(t, { '..data/theme.css': ':root{--radius:0}' })
  // Kubernetes mounts a ConfigMap so.
  await symlink('..data/theme.css', join(folder, 'theme.css'))
  t.deepEqual(await faultsOf(folder), [])
  await symlink(join(outside, 'logo.svg'), join(folder, 'logo.svg'))
  await symlink(outside, join(folder, 'clients'))
  await mkdir(join(folder, 'texts'))
  await symlink('nowhere', join(folder, 'texts', 'en.json'))
  t.deepEqual(await faultsOf(folder), [
    'logo.svg is a symbolic link that leads out of the folder: copy the file here',
    'clients is a symbolic link that leads out of the folder: copy the file here',
    'texts/en.json leads nowhere: it is a broken symbolic link',
  ])
})

test('more than 1,000 client logos → refused', async (t) => {
  const names = Array.from({ length: 1001 }, (_, at) => [`clients/app-${at}.svg`, svg()])
  const faults = await faultsOf(await themeFolder(t, Object.fromEntries(names)))
  t.deepEqual(faults, ['clients has more than 1000 files'])
})

test('no folder → refused; an empty one, as a mount of nothing creates it → a warning', async (t) => {
  t.deepEqual(await faultsOf('/nowhere/at/all'), [
    'there is no such folder: correct THEME_DIR, or remove it',
  ])
  const { warnings } = await read(t, {})
  t.regex(warnings[0] ?? '', /^there is nothing in /)
})

test('the snippets of docs/themes.md → read without a fault', async (t) => {
  const page = await readFile(join(root, 'docs', 'themes.md'), 'utf8')
  for (const css of blocksOf(page, 'css')) {
    t.deepEqual(await faultsOf(await themeFolder(t, { 'theme.css': css })), [], css)
  }
  const [json = ''] = blocksOf(page, 'json')
  t.deepEqual(await faultsOf(await themeFolder(t, { 'texts/de.json': json })), [])
})

test('docs/themes.md → lists every property of the stylesheet, and no other', async (t) => {
  const page = await readFile(join(root, 'docs', 'themes.md'), 'utf8')
  const listed = [...page.matchAll(/^\| `(--[\w-]+)` \|/gm)].map(([, name = '']) => name)
  t.deepEqual(listed.sort(), [...propertyNames].sort())
  for (const name of propertyNames) {
    t.true((stylesheet + accountStylesheet).includes(`var(${name})`), name)
  }
})
