import type { Config } from '../../config/config.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

/** Reads the theme as a start does: a fault would stop it, and colors that are hard to read are named. */
export async function checkTheme({ THEME_DIR }: Config): Promise<Finding[]> {
  if (THEME_DIR === undefined) return []
  const { readTheme, ThemeError } = await import('../../pages/theme/theme-folder.ts')
  try {
    const { warnings } = await readTheme(THEME_DIR)
    const advice = 'See docs/themes.md, and look at it: signet theme preview'
    return [ok('theme', THEME_DIR), ...warnings.map((message) => warning('theme', message, advice))]
  } catch (error) {
    if (!(error instanceof ThemeError)) throw error
    return error.problems.map((line) =>
      failed('theme', line, 'Correct it: the server does not start with it. See docs/themes.md.'),
    )
  }
}
