import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Context, Middleware } from '../../http/context.ts'
import { type Catalogues, catalogues } from '../languages/languages.ts'
import { colors } from '../stylesheet.ts'
import type { Palette } from './theme-contrast.ts'

declare module '../../http/context.ts' {
  interface RequestState {
    /** theme */
    theme?: Theme
  }
}

/** A file of a theme, read at the start. */
export interface ThemeFile {
  /** Content-Type */
  readonly type: string
  readonly body: string | Buffer
  /** A digest of the content: the address changes with it. */
  readonly version: string
}

/** How the pages of an installation look, and what they say. */
export interface Theme {
  readonly palette: Palette
  /** By name below `assets/`. They replace built-in files of the same name. */
  readonly files: ReadonlyMap<string, ThemeFile>
  /** By client id. */
  readonly clientLogos: ReadonlyMap<string, ThemeFile>
  readonly catalogues: Catalogues
}

export const builtInTheme: Theme = {
  palette: colors,
  files: new Map(),
  clientLogos: new Map(),
  catalogues,
}

export const themed =
  (theme: Theme): Middleware =>
  (ctx, next) => {
    ctx.state.theme = theme
    return next()
  }

export const themeOf = ({ state }: Context): Theme => state.theme ?? builtInTheme

/** The theme of a page, and the client on whose behalf it is shown. */
interface Look {
  readonly theme: Theme
  readonly clientId?: string | undefined
}

export const LookContext = createContext<Look>({ theme: builtInTheme })

interface Image {
  /** Below `assets/`. */
  readonly href: string
  readonly type: string
}

/** The files that the document of a page loads, beside those that every page has. */
interface LookFiles {
  readonly stylesheet: string | undefined
  readonly logo: string
  readonly clientLogo: string | undefined
  readonly favicon: Image
}

/** For elements: the files of the page that is being rendered. */
export function useLook(): LookFiles {
  const { theme, clientId } = useContext(LookContext)
  const clientLogo = clientId === undefined ? undefined : theme.clientLogos.get(clientId)
  return {
    stylesheet: fileNamed(theme, ['theme.css'])?.href,
    logo: fileNamed(theme, ['logo.svg', 'logo.png'])?.href ?? 'logo.svg',
    clientLogo: clientLogo && `clients/${clientId}.svg?v=${clientLogo.version}`,
    favicon: fileNamed(theme, ['favicon.svg', 'favicon.ico']) ?? {
      href: 'favicon.svg',
      type: 'image/svg+xml',
    },
  }
}

function fileNamed({ files }: Theme, names: readonly string[]): Image | undefined {
  for (const name of names) {
    const file = files.get(name)
    if (file) return { href: `${name}?v=${file.version}`, type: file.type }
  }
  return undefined
}
