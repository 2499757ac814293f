import type { Config } from '../config/config.ts'
import type { Theme } from '../pages/theme/theme.ts'
import type { Log } from '../telemetry/log.ts'

/**
 * Reads the theme, if there is one.
 * @param log gets the warnings
 * @throws ThemeError that names every fault
 */
export async function openTheme(
  { THEME_DIR }: Config,
  log: Pick<Log, 'warn'>,
): Promise<{ theme?: Theme }> {
  if (THEME_DIR === undefined) return {}
  const { readTheme } = await import('../pages/theme/theme-folder.ts')
  const { theme, warnings } = await readTheme(THEME_DIR)
  for (const warning of warnings) log.warn(warning)
  return { theme }
}
