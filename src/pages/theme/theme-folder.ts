import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, opendir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { nearest } from '../../config/nearest.ts'
import { OperatorError } from '../../errors.ts'
import { type LanguageCode, languageCodes } from '../../languages.ts'
import { catalogues } from '../languages/languages.ts'
import { customProperties } from '../stylesheet.ts'
import { builtInTheme, type Theme, type ThemeFile } from './theme.ts'
import { contrastsOf, contrastWarning, isReadable, paletteOf } from './theme-contrast.ts'
import { parseThemeCss } from './theme-css.ts'
import { parseThemeTexts } from './theme-texts.ts'

/** All faults of a theme, one per line. */
export class ThemeError extends OperatorError {
  override readonly name = 'ThemeError'
  readonly problems: readonly string[]

  constructor(folder: string, problems: readonly string[]) {
    super(
      `The theme in ${folder} has ${problems.length === 1 ? 'an error' : 'errors'} (see docs/themes.md):\n${problems.map((line) => `  ${line}`).join('\n')}`,
    )
    this.problems = problems
  }
}

export interface ReadTheme {
  readonly theme: Theme
  /** Sentences about what works, and should be better. */
  readonly warnings: readonly string[]
}

const kilobyte = 1024
const bounds = {
  stylesheet: 16 * kilobyte,
  image: 64 * kilobyte,
  texts: 256 * kilobyte,
  clientLogos: 1000,
  /** All logos of clients are kept in memory. */
  allClientLogos: 16 * kilobyte * kilobyte,
  /** Names in a folder of which only some can be of a theme. */
  names: 100,
}

const svg = 'image/svg+xml'
const images = {
  'logo.svg': svg,
  'logo.png': 'image/png',
  'favicon.svg': svg,
  'favicon.ico': 'image/x-icon',
} as const
const known = ['theme.css', ...Object.keys(images), 'texts', 'clients']

interface Folder {
  /** Without symbolic links. */
  readonly root: string
  readonly problems: string[]
}

/**
 * Reads a theme. Everything is read and checked now: no request opens a file, so a folder that vanishes
 * later changes nothing, and no name in a URL can lead out of it.
 * @throws ThemeError that names every fault
 */
export async function readTheme(path: string): Promise<ReadTheme> {
  const root = await realpath(path).catch(() => undefined)
  if (root === undefined) {
    throw new ThemeError(path, ['there is no such folder: correct THEME_DIR, or remove it'])
  }
  const folder: Folder = { root, problems: [] }
  const names = await namesIn(folder, '', bounds.names)
  checkNames(folder, '', names, known)
  const palette = await readStylesheet(folder, names)
  const theme: Theme = {
    palette: palette?.colors ?? builtInTheme.palette,
    files: new Map([...(palette?.files ?? []), ...(await readImages(folder, names))]),
    clientLogos: names.includes('clients') ? await readClientLogos(folder) : new Map(),
    catalogues: names.includes('texts') ? await readTexts(folder) : catalogues,
  }
  if (folder.problems.length > 0) throw new ThemeError(path, folder.problems)
  const warnings = contrastsOf(theme.palette)
    .filter((one) => !isReadable(one))
    .map(contrastWarning)
  const isEmpty = !names.some((name) => known.includes(name))
  // A mount of a folder that does not exist creates it, and it is empty.
  return { theme, warnings: isEmpty ? [`there is nothing in ${path}`, ...warnings] : warnings }
}

/** Hidden files, which mounts and editors create, and notes are no part of a theme. */
const isIgnored = (name: string): boolean => name.startsWith('.') || /\.(md|txt)$/i.test(name)

async function namesIn(folder: Folder, below: string, most: number): Promise<string[]> {
  const path = await inside(folder, below)
  if (path === undefined) return []
  try {
    const names: string[] = []
    for await (const { name } of await opendir(path)) {
      if (isIgnored(name)) continue
      if (names.push(name) > most) {
        folder.problems.push(`${below || 'the folder'} has more than ${most} files`)
        return []
      }
    }
    return names.sort()
  } catch (error) {
    folder.problems.push(`${below || 'the folder'} cannot be read: ${(error as Error).message}`)
    return []
  }
}

function checkNames(
  { problems }: Folder,
  below: string,
  names: readonly string[],
  allowed: readonly string[],
): void {
  for (const name of names) {
    if (allowed.includes(name)) continue
    problems.push(
      `${below}${name} is no file of a theme; the nearest is ${below}${nearest(name, allowed)}: rename or remove it`,
    )
  }
}

/** The path without symbolic links. Links may lead to other files of the folder, as those of Kubernetes do. */
async function inside({ root, problems }: Folder, name: string): Promise<string | undefined> {
  const path = await realpath(join(root, name)).catch(() => undefined)
  if (path === undefined) problems.push(`${name} leads nowhere: it is a broken symbolic link`)
  else if (path === root || path.startsWith(root + sep)) return path
  else problems.push(`${name} is a symbolic link that leads out of the folder: copy the file here`)
  return undefined
}

async function readBounded(
  folder: Folder,
  name: string,
  most: number,
): Promise<Buffer | undefined> {
  const path = await inside(folder, name)
  if (path === undefined) return undefined
  const { problems } = folder
  try {
    // A pipe would otherwise be waited for, and a link that has just replaced the file be followed.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    await using file = await open(path, flags)
    const stat = await file.stat()
    if (!stat.isFile()) return void problems.push(`${name} is not a file`)
    const body = Buffer.alloc(most + 1)
    let size = 0
    while (size <= most) {
      const { bytesRead } = await file.read(body, size, body.length - size, size)
      if (bytesRead === 0) return body.subarray(0, size)
      size += bytesRead
    }
    return void problems.push(`${name} has more than ${most / kilobyte} KB: make it smaller`)
  } catch (error) {
    return void problems.push(`${name} cannot be read: ${(error as Error).message}`)
  }
}

/** Text of a file; anything that is not UTF-8 is a fault. */
async function readText(folder: Folder, name: string, most: number): Promise<string | undefined> {
  const body = await readBounded(folder, name, most)
  try {
    return body && new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return void folder.problems.push(`${name} is not UTF-8: save it with that encoding`)
  }
}

function themeFile(type: string, body: string | Buffer): ThemeFile {
  const version = createHash('sha256').update(body).digest('base64url').slice(0, 12)
  return { type, body, version }
}

async function readStylesheet(folder: Folder, names: readonly string[]) {
  if (!names.includes('theme.css')) return undefined
  const source = await readText(folder, 'theme.css', bounds.stylesheet)
  if (source === undefined) return undefined
  const { properties, faults } = parseThemeCss(source)
  folder.problems.push(...faults.map(({ line, message }) => `theme.css line ${line}: ${message}`))
  const colors = paletteOf(properties)
  const own = { ...properties.colors, ...(properties.colors.accent && onAccentOf(colors)) }
  const style = customProperties(own, properties.measures)
  return { colors, files: [['theme.css', themeFile('text/css; charset=utf-8', style)]] as const }
}

const onAccentOf = (colors: Theme['palette']) => ({ 'on-accent': colors['on-accent'] })

async function readImages(folder: Folder, names: readonly string[]) {
  const files: [string, ThemeFile][] = []
  for (const kind of ['logo', 'favicon']) {
    const found = names.filter((name) => name.startsWith(`${kind}.`) && Object.hasOwn(images, name))
    if (found.length > 1) folder.problems.push(`${found.join(' and ')}: keep one of them`)
    for (const name of found) {
      const file = await readImage(folder, name, images[name as keyof typeof images])
      if (file) files.push([name, file])
    }
  }
  return files
}

async function readImage(
  folder: Folder,
  name: string,
  type: string,
): Promise<ThemeFile | undefined> {
  if (type === svg) {
    const text = await readText(folder, name, bounds.image)
    const fault = text === undefined ? undefined : svgFault(text)
    if (fault) folder.problems.push(`${name} ${fault}`)
    return text === undefined || fault ? undefined : themeFile(type, text)
  }
  const body = await readBounded(folder, name, bounds.image)
  if (!body) return undefined
  if (body.toString('latin1', 0, 4) === signatures[type]) return themeFile(type, body)
  const kind = type === 'image/png' ? 'a PNG image' : 'an ICO image'
  return void folder.problems.push(`${name} is not ${kind}`)
}

const signatures: Readonly<Record<string, string>> = {
  'image/png': '\x89PNG',
  'image/x-icon': '\0\0\x01\0',
}

/** Scripts in an image are no fault: its own content-security policy, and `<img>`, keep them from running. */
function svgFault(text: string): string | undefined {
  const [, attributes] = /<svg\b([^>]*)>/.exec(text) ?? []
  if (attributes === undefined) return 'is not an SVG image'
  return /\bxmlns\s*=\s*["']http:\/\/www\.w3\.org\/2000\/svg["']/.test(attributes)
    ? undefined
    : 'is not shown by browsers: add xmlns="http://www.w3.org/2000/svg" to <svg>'
}

async function readClientLogos(folder: Folder): Promise<ReadonlyMap<string, ThemeFile>> {
  const logos = new Map<string, ThemeFile>()
  let bytes = 0
  for (const name of await namesIn(folder, 'clients', bounds.clientLogos)) {
    const [, id] = /^([A-Za-z0-9._~-]{1,100})\.svg$/.exec(name) ?? []
    if (id === undefined) {
      folder.problems.push(`clients/${name} is not named <client id>.svg: rename or remove it`)
      continue
    }
    const file = await readImage(folder, `clients/${name}`, svg)
    if (!file) continue
    logos.set(id, file)
    bytes += Buffer.byteLength(file.body)
    if (bytes > bounds.allClientLogos) {
      folder.problems.push('clients has more than 16 MB of logos: make them smaller')
      break
    }
  }
  return logos
}

async function readTexts(folder: Folder): Promise<Theme['catalogues']> {
  const names = await namesIn(folder, 'texts', bounds.names)
  const files = languageCodes.map((code) => `${code}.json`)
  checkNames(folder, 'texts/', names, files)
  const found = new Map<LanguageCode, Theme['catalogues'][LanguageCode]>()
  for (const code of languageCodes) {
    const name = `texts/${code}.json`
    if (!names.includes(`${code}.json`)) continue
    const source = await readText(folder, name, bounds.texts)
    if (source === undefined) continue
    const { catalogue, faults } = parseThemeTexts(source, code, catalogues[code])
    folder.problems.push(...faults.map(({ line, message }) => `${name} line ${line}: ${message}`))
    found.set(code, catalogue)
  }
  return { ...catalogues, ...Object.fromEntries(found) }
}
