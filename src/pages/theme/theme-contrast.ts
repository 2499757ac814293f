import { contrastOf, leastContrast, readableOn, textOn } from '../contrast.ts'
import { type ColorPair, colors } from '../stylesheet.ts'
import type { ColorName, ThemeProperties } from './theme-css.ts'

/** The colors of the pages in both schemes. */
export type Palette = Readonly<Record<ColorName, ColorPair>>

/** The contrast of the border of a field with what is around it: WCAG 2.2 §1.4.11. */
const leastOfBorders = 3

/** The pairs that pages show, and what people see of them. */
const pairs = [
  ['text', 'surface', 'text on a panel'],
  ['text', 'background', 'text beside a panel'],
  ['muted', 'surface', 'muted text on a panel'],
  ['muted', 'background', 'muted text beside a panel'],
  ['accent', 'surface', 'a link on a panel'],
  ['accent', 'background', 'a link beside a panel'],
  ['on-accent', 'accent', 'text on a button'],
  ['danger', 'surface', 'an error'],
  ['good', 'surface', 'a success'],
  ['line', 'surface', 'the border of a field'],
] as const satisfies readonly (readonly [ColorName, ColorName, string])[]

export interface Contrast {
  readonly name: ColorName
  readonly on: ColorName
  readonly use: string
  readonly scheme: 'light' | 'dark'
  readonly ratio: number
  readonly least: number
  /** The color itself, or the nearest that can be read there. */
  readonly readable: string
}

/**
 * The built-in colors with those of a theme. Without an `--on-accent` of its own, the text on buttons is
 * black or white, whichever can be read.
 */
export function paletteOf({ colors: own }: ThemeProperties): Palette {
  const { accent } = own
  const onAccent: Partial<Palette> = accent
    ? { 'on-accent': [textOn(accent[0]), textOn(accent[1])] }
    : {}
  return { ...colors, ...onAccent, ...own }
}

/** The contrast of every pair in both schemes. */
export function contrastsOf(palette: Palette): Contrast[] {
  return (['light', 'dark'] as const).flatMap((scheme, at) =>
    pairs.map(([name, on, use]) => {
      const color = palette[name][at] ?? ''
      const behind = palette[on][at] ?? ''
      const least = name === 'line' ? leastOfBorders : leastContrast
      const ratio = contrastOf(color, behind) ?? 0
      const readable = readableOn(color, behind, least)
      return { name, on, use, scheme, ratio, least, readable }
    }),
  )
}

export const isReadable = ({ ratio, least }: Contrast): boolean => ratio >= least

/** Two digits, rounded down: 4.496 is not 4.5. */
export const ratioText = (ratio: number): string => (Math.floor(ratio * 100) / 100).toFixed(2)

export const contrastWarning = (contrast: Contrast): string =>
  `theme.css: --${contrast.name} on --${contrast.on} (${contrast.use}, ${contrast.scheme}) has a contrast of ` +
  `${ratioText(contrast.ratio)}, and people need ${contrast.least}: ${contrast.readable} would do`
