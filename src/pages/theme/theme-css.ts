import { nearest } from '../../config/nearest.ts'
import { type ColorPair, colors, measures } from '../stylesheet.ts'

export type ColorName = keyof typeof colors
type MeasureName = keyof typeof measures

/** The custom properties that a theme sets. */
export interface ThemeProperties {
  readonly colors: Partial<Record<ColorName, ColorPair>>
  readonly measures: Partial<Record<MeasureName, string>>
}

/** Something wrong in a file, for the person who wrote it. */
export interface LineFault {
  readonly line: number
  readonly message: string
}

interface Parsed {
  readonly properties: ThemeProperties
  readonly faults: readonly LineFault[]
}

type Scheme = 'light' | 'dark'

interface Sheet {
  readonly colors: Partial<Record<ColorName, ColorPair>>
  readonly measures: Partial<Record<MeasureName, string>>
  fault(at: number, message: string): void
}

/** Every property that `theme.css` may set. */
export const propertyNames: readonly string[] = [
  ...Object.keys(colors),
  ...Object.keys(measures),
].map((name) => `--${name}`)

const onlyProperties =
  'write only custom properties in :root, or in :root in @media (prefers-color-scheme: dark)'

/**
 * Reads `theme.css`: custom properties in `:root`, for both schemes or for one. Everything else is a fault,
 * because the layout and the content-security policy depend on the stylesheets of this server. The values
 * are checked and written again, so no text of the file reaches a browser as it is.
 */
export function parseThemeCss(source: string): Parsed {
  const faults: LineFault[] = []
  const sheet: Sheet = {
    colors: {},
    measures: {},
    fault: (at, message) => void faults.push({ line: lineAt(source, at), message }),
  }
  const text = withoutComments(source, sheet)
  rules(text, 0, text.length, sheet)
  return { properties: { colors: sheet.colors, measures: sheet.measures }, faults }
}

export const lineAt = (source: string, at: number): number => source.slice(0, at).split('\n').length

/** Comments become spaces, so that lines keep their numbers. */
function withoutComments(source: string, sheet: Sheet): string {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/^\uFEFF/, ' ')
  const open = text.indexOf('/*')
  if (open === -1) return text
  sheet.fault(open, 'the comment does not end: add */')
  return text.slice(0, open)
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

const media = /^@media\s*\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)$/

/** Rules between two positions; `scheme` is that of the block around them. */
function rules(text: string, from: number, to: number, sheet: Sheet, scheme?: Scheme): void {
  let at = from
  while (at < to) {
    at += text.slice(at, to).search(/\S|$/)
    if (at >= to) return
    const end = at + text.slice(at, to).search(/[{;}]|$/)
    const head = text.slice(at, end).trim()
    if (text[end] !== '{' || end >= to) {
      sheet.fault(at, `${shown(head || text[end])} is no rule: ${onlyProperties}`)
      at = end + 1
      continue
    }
    const close = closing(text, end, to)
    if (close === to) sheet.fault(end, 'the block does not end: add }')
    const [, only] = media.exec(head) ?? []
    if (head === ':root') declarations(text, end + 1, close, sheet, scheme)
    else if (only && scheme === undefined) rules(text, end + 1, close, sheet, only as Scheme)
    else sheet.fault(at, `${shown(head)} is not allowed: ${onlyProperties}`)
    at = close + 1
  }
}

/** The position of the brace that closes the one at `open`, or `to`. */
function closing(text: string, open: number, to: number): number {
  let depth = 0
  for (let at = open; at < to; at += 1) {
    if (text[at] === '{') depth += 1
    if (text[at] === '}') depth -= 1
    if (depth === 0) return at
  }
  return to
}

function declarations(
  text: string,
  from: number,
  to: number,
  sheet: Sheet,
  scheme: Scheme | undefined,
): void {
  let at = from
  for (const part of text.slice(from, to).split(';')) {
    const start = at + part.search(/\S|$/)
    at += part.length + 1
    if (part.trim() === '') continue
    const fault = declaration(part.trim(), sheet, scheme)
    if (fault) sheet.fault(start, fault)
  }
}

/** @returns a sentence about what is wrong */
function declaration(part: string, sheet: Sheet, scheme: Scheme | undefined): string | undefined {
  const [, property = '', value = ''] = /^([^:]*?)\s*:\s*([\s\S]*)$/.exec(part) ?? []
  if (!/^--[\w-]+$/.test(property)) return `${shown(property || part)}: ${onlyProperties}`
  const name = property.slice(2)
  if (Object.hasOwn(colors, name)) {
    const pair = colorPair(value)
    if (!pair) return `${property}: ${shown(value)} is no color: ${colorRule}`
    const key = name as ColorName
    const before = sheet.colors[key] ?? colors[key]
    if (scheme === undefined) sheet.colors[key] = pair
    else sheet.colors[key] = scheme === 'light' ? [pair[0], before[1]] : [before[0], pair[1]]
    return undefined
  }
  if (!Object.hasOwn(measures, name)) {
    return `${shown(property)} is no property of the pages; the nearest is ${nearest(property, propertyNames)}, and all are ${propertyNames.join(' ')}`
  }
  if (scheme !== undefined)
    return `${property} is the same in light and dark: move it out of @media`
  const measure = name === 'radius' ? radius(value) : font(value)
  if (measure === undefined) {
    const rule = name === 'radius' ? radiusRule : fontRule
    return `${property}: ${shown(value)} is not allowed: ${rule}`
  }
  sheet.measures[name as MeasureName] = measure
  return undefined
}

const colorRule = 'write #rrggbb, #rgb or light-dark(#rrggbb, #rrggbb)'
const hex = '#(?:[0-9a-f]{6}|[0-9a-f]{3})'
const plainColor = new RegExp(`^${hex}$`, 'i')
const pairOfColors = new RegExp(`^light-dark\\(\\s*(${hex})\\s*,\\s*(${hex})\\s*\\)$`, 'i')

function colorPair(value: string): ColorPair | undefined {
  if (plainColor.test(value)) return [long(value), long(value)]
  const [, light, dark] = pairOfColors.exec(value) ?? []
  return light && dark ? [long(light), long(dark)] : undefined
}

/** `#abc` is `#aabbcc`. */
const long = (color: string): string =>
  color.length === 4 ? color.replace(/[0-9a-f]/gi, '$&$&').toLowerCase() : color.toLowerCase()

const radiusRule = 'write a length from 0 to 32px or 2rem'

function radius(value: string): string | undefined {
  const [, number = '', unit = 'px'] =
    /^(\d{1,3}(?:\.\d{1,4})?|\.\d{1,4})(px|rem)?$/.exec(value) ?? []
  const length = Number(number)
  const hasUnit = value.endsWith(unit)
  if (number === '' || length > (unit === 'px' ? 32 : 2) || (length > 0 && !hasUnit))
    return undefined
  return `${length}${unit}`
}

const fontRule =
  'write names of installed fonts, separated by commas: other names are loaded from nowhere'
const family =
  /^(?:-?[a-z][\w-]*(?: [a-z][\w-]*)*|'[\p{L}\p{N} ._-]{1,60}'|"[\p{L}\p{N} ._-]{1,60}")$/iu

function font(value: string): string | undefined {
  const families = value.split(',').map((one) => one.trim().replace(/\s+/g, ' '))
  return families.length <= 20 && families.every((one) => family.test(one))
    ? families.join(', ')
    : undefined
}

/** A short quotation of the file, without characters that a terminal obeys. */
function shown(text = ''): string {
  const plain = text.replace(/[\p{C}\s]+/gu, ' ')
  return plain.length > 60 ? `${plain.slice(0, 59)}…` : plain
}
