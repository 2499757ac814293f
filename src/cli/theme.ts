import { type Command, Option } from 'commander'
import { type LanguageCode, languageCodes } from '../languages.ts'
import { type Contrast, isReadable, ratioText } from '../pages/theme/theme-contrast.ts'
import { readEnvironmentFile } from '../server/open-runtime.ts'
import { answers, example, table } from './output.ts'

interface PreviewOptions {
  readonly dir?: string
  readonly out: string
  readonly language: LanguageCode
}

export function themeCommand(program: Command): void {
  const theme = program.command('theme').description('look at a theme of the pages')
  const preview = theme
    .command('preview')
    .description('write every page with sample data to a folder; needs no database and no Redis')
    .option('--dir <folder>', 'the theme (default: THEME_DIR, otherwise the built-in look)')
    .option('--out <folder>', 'where the pages are written', 'theme-preview')
    .addOption(new Option('--language <code>', 'of the pages').choices(languageCodes).default('en'))
  example(preview, 'signet theme preview --dir my-theme', 'signet theme preview --language de')
  answers<PreviewOptions>(preview, async ({ dir, out, language }) => {
    readEnvironmentFile()
    const folder = dir ?? (process.env.THEME_DIR?.trim() || undefined)
    const { readTheme } = await import('../pages/theme/theme-folder.ts')
    const { builtInTheme } = await import('../pages/theme/theme.ts')
    const { writePreview } = await import('../app/preview/write-preview.ts')
    const { theme, warnings } =
      folder === undefined ? { theme: builtInTheme, warnings: [] } : await readTheme(folder)
    const { index, pages, contrasts } = await writePreview(theme, language, out)
    const summary = `${pages} pages in light and dark: open ${index} in a browser`
    return {
      json: { index, pages, warnings, contrasts },
      text: [contrastTable(contrasts), '', ...warnings, summary].join('\n'),
    }
  })
}

/** A row for each pair of colors; a mark where the contrast is too low. */
function contrastTable(contrasts: readonly Contrast[]): string {
  const shown = (one: Contrast) => `${ratioText(one.ratio)}${isReadable(one) ? '' : ' !'}`
  const rows = contrasts
    .filter(({ scheme }) => scheme === 'light')
    .map((light) => {
      const dark = contrasts.find(
        (one) => one.scheme === 'dark' && one.name === light.name && one.on === light.on,
      )
      const { name, on, use, least } = light
      return [`--${name} on --${on}`, use, String(least), shown(light), dark ? shown(dark) : '']
    })
  return table(['colors', 'use', 'needed', 'light', 'dark'], rows)
}
