import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../errors.ts'
import type { LanguageCode } from '../../languages.ts'
import { previewIndex, previewMark, previewStylesheet } from '../../pages/theme/preview-page.tsx'
import type { Theme } from '../../pages/theme/theme.ts'
import { type Contrast, contrastsOf } from '../../pages/theme/theme-contrast.ts'
import { assetLinks, type RenderedPage, renderPages } from './render-pages.ts'

interface Written {
  /** The page that shows all others. */
  readonly index: string
  readonly pages: number
  readonly contrasts: readonly Contrast[]
}

const schemes = ['light', 'dark'] as const

/**
 * Writes every page with sample data as files that a browser opens without a server.
 * @throws OperatorError if the folder has something else in it
 */
export async function writePreview(
  theme: Theme,
  language: LanguageCode,
  out: string,
): Promise<Written> {
  await clearPreview(out)
  const { pages, assets } = await renderPages(theme, language)
  const wrong = pages.find(({ status, expected }) => status !== expected)
  if (wrong) throw new Error(`${nameOf(wrong)} is answered with ${wrong.status}`)
  const write = async (name: string, content: string | Buffer) => {
    await mkdir(dirname(join(out, name)), { recursive: true })
    await writeFile(join(out, name), content)
  }
  for (const [name, content] of assets) await write(name, content)
  const files = pages.map((page) => ({ page, file: fileOf(page) }))
  for (const { page, file } of files) {
    for (const scheme of schemes) await write(`${scheme}/${file}`, inScheme(page, scheme))
  }
  for (const scheme of schemes) {
    await write(`assets/${scheme}.css`, `:root:root{color-scheme:${scheme}}\n`)
  }
  const listed = files.map(({ page, file }) => ({
    name: nameOf(page),
    light: `light/${file}`,
    dark: `dark/${file}`,
  }))
  const contrasts = contrastsOf(theme.palette)
  await write('preview.css', previewStylesheet)
  await write('index.html', previewIndex({ language, pages: listed, contrasts }))
  return { index: join(out, 'index.html'), pages: pages.length, contrasts }
}

/** Removes the preview before this one; anything else stays. */
async function clearPreview(out: string): Promise<void> {
  const names = await readdir(out).catch(() => [])
  if (names.length === 0) return
  const index = await readFile(join(out, 'index.html'), 'utf8').catch(() => '')
  if (!index.includes(previewMark)) {
    throw new OperatorError(
      `${out} is not empty, and not a preview. Name another folder with --out.`,
    )
  }
  for (const name of [...schemes, 'assets']) {
    await rm(join(out, name), { recursive: true, force: true })
  }
}

const nameOf = ({ route, state }: Pick<RenderedPage, 'route' | 'state'>): string =>
  state === undefined ? route : `${route} (${state})`

/** `/account/api-keys/new (created)` is in `account-api-keys-new-created.html`. */
const fileOf = (page: RenderedPage): string =>
  `${nameOf(page).replace(/\W+/g, '-').replace(/^-|-$/g, '') || 'start'}.html`

/** The page without its script, with its files beside it, and in one scheme whatever the browser prefers. */
const inScheme = ({ html }: RenderedPage, scheme: string): string =>
  html
    .replace(/<script\b[^>]*><\/script>/g, '')
    .replace(assetLinks, '../$1')
    .replace('</head>', `<link rel="stylesheet" href="../assets/${scheme}.css"/></head>`)
    .replace(/(?<=\b(?:href|action)=")\/[^"]*(?=")/g, '#')
