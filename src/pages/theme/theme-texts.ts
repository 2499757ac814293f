import { nearest } from '../../config/nearest.ts'
import type { LanguageCode } from '../../languages.ts'
import type { Catalogue } from '../languages/languages.ts'
import { isCount, placeholders } from './placeholders.ts'
import { type LineFault, lineAt } from './theme-css.ts'

interface Parsed {
  /** The texts of the language, with those of the file in place of their own. */
  readonly catalogue: Catalogue
  readonly faults: readonly LineFault[]
}

type Texts = Readonly<Record<string, unknown>>

interface Reading {
  readonly code: LanguageCode
  readonly fault: (key: string, message: string) => void
}

const longestText = 1000

/** RFC 6749 §3.3: the names of scopes are the operator's own, so texts for more of them can be added. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/

/** Reads a file of texts: `{"pages": {…}, "account": {…}}`, each with some keys of the catalogue. */
export function parseThemeTexts(source: string, code: LanguageCode, built: Catalogue): Parsed {
  const faults: LineFault[] = []
  let given: unknown
  try {
    given = JSON.parse(source.replace(/^\uFEFF/, ''))
  } catch (error) {
    return { catalogue: built, faults: [syntaxFault(source, error as Error)] }
  }
  const reading: Reading = {
    code,
    fault(key, message) {
      const name = key.split(' ').at(-1) ?? ''
      const at = Math.max(0, source.indexOf(JSON.stringify(name)))
      faults.push({ line: lineAt(source, at), message: `${key.replaceAll(' ', '.')} ${message}` })
    },
  }
  if (!isTexts(given)) {
    const message = 'the file must be an object with the members pages and account'
    return { catalogue: built, faults: [{ line: 1, message }] }
  }
  for (const section of Object.keys(given)) {
    if (!Object.hasOwn(built, section))
      reading.fault(section, 'is not allowed: the texts are members of pages and of account')
  }
  const merged = (section: keyof Catalogue) =>
    mergeSection(section, built[section], given[section] ?? {}, reading)
  const catalogue = { pages: merged('pages'), account: merged('account') } as Catalogue
  return { catalogue, faults }
}

const isTexts = (value: unknown): value is Texts =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** V8 tells the position in words. */
function syntaxFault(source: string, { message }: Error): LineFault {
  const [, at] = /position (\d+)/.exec(message) ?? []
  const line = lineAt(source, at === undefined ? source.length : Number(at))
  return { line, message: 'this is not JSON: check the quotation marks and the commas' }
}

function mergeSection(section: string, built: Texts, given: unknown, reading: Reading): Texts {
  if (!isTexts(given)) {
    reading.fault(section, 'must be an object of texts')
    return built
  }
  const changes = Object.entries(given).flatMap(([key, value]) => {
    const path = `${section} ${key}`
    if (!Object.hasOwn(built, key)) {
      const near = nearest(key, Object.keys(built))
      reading.fault(path, `is no text of the pages; the nearest is ${section}.${near}`)
      return []
    }
    const text = mergeText(path, built[key], value, reading)
    return text === undefined ? [] : [[key, text] as const]
  })
  return { ...built, ...Object.fromEntries(changes) }
}

function mergeText(path: string, built: unknown, value: unknown, reading: Reading): unknown {
  const [section = '', key = ''] = path.split(' ')
  if (typeof built === 'string') return plainText(path, value, [], reading)
  if (typeof built === 'function') {
    return template(path, value, placeholders[section]?.[key] ?? [], reading)
  }
  return mergeGroup(path, built as Texts, value, reading)
}

/** Texts that belong together, such as those of the scopes. */
function mergeGroup(path: string, built: Texts, value: unknown, reading: Reading): unknown {
  if (!isTexts(value)) return void reading.fault(path, 'must be an object of texts')
  const isOpen = path === 'pages scopes'
  const changes = Object.entries(value).flatMap(([key, one]) => {
    const inner = `${path} ${key}`
    if (isOpen ? !scopeToken.test(key) : !Object.hasOwn(built, key)) {
      const near = `${path.replace(' ', '.')}.${nearest(key, Object.keys(built))}`
      reading.fault(
        inner,
        isOpen ? 'is no name of a scope' : `is no text of the pages; the nearest is ${near}`,
      )
      return []
    }
    const text = plainText(inner, one, [], reading)
    return text === undefined ? [] : [[key, text] as const]
  })
  return { ...built, ...Object.fromEntries(changes) }
}

/** @param allowed the placeholders that may stand in it; those that are no number must */
function plainText(
  path: string,
  value: unknown,
  allowed: readonly string[],
  { fault }: Reading,
): string | undefined {
  if (typeof value !== 'string' || value.trim() === '')
    return void fault(path, 'must be a text that is not empty')
  if (value.length > longestText)
    return void fault(path, `has more than ${longestText} characters: shorten it`)
  if (/\p{Cc}/u.test(value)) return void fault(path, 'has control characters: remove them')
  const found = [...value.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name)
  const known = allowed.map((name) => `{${name}}`).join(' and ')
  const wrong = found.find((name) => !allowed.includes(name))
  if (wrong !== undefined) {
    const rule = known === '' ? 'this text has none' : `it can only have ${known}`
    return void fault(path, `has the unknown placeholder {${wrong}}: ${rule}`)
  }
  const missing = allowed.find((name) => !isCount(name) && !found.includes(name))
  if (missing !== undefined) return void fault(path, `lacks the placeholder {${missing}}: add it`)
  return value
}

type Template = (...values: (string | number)[]) => string

/** A text with values: one, or for a number one of each plural of the language. */
function template(
  path: string,
  value: unknown,
  names: readonly string[],
  reading: Reading,
): Template | undefined {
  if (!isTexts(value) || !names.some(isCount)) {
    const text = plainText(path, value, names, reading)
    return text === undefined ? undefined : (...values) => filled(text, names, values)
  }
  const rules = new Intl.PluralRules(reading.code)
  const categories = rules.resolvedOptions().pluralCategories
  const wrong = Object.keys(value).find((name) => !categories.some((one) => one === name))
  if (wrong !== undefined) {
    const known = [...categories].sort().join(', ')
    return void reading.fault(`${path} ${wrong}`, `is no plural of this language: it has ${known}`)
  }
  if (!Object.hasOwn(value, 'other')) return void reading.fault(path, 'lacks the plural other')
  const texts = new Map(
    Object.entries(value).map(([name, one]) => [
      name,
      plainText(`${path} ${name}`, one, names, reading),
    ]),
  )
  const countAt = names.findIndex(isCount)
  return (...values) => {
    const text = texts.get(rules.select(Number(values[countAt]))) ?? texts.get('other') ?? ''
    return filled(text, names, values)
  }
}

/** In one pass: a value that looks like a placeholder stays as it is. */
const filled = (
  text: string,
  names: readonly string[],
  values: readonly (string | number)[],
): string => text.replace(/\{(\w+)\}/g, (_, name) => String(values[names.indexOf(name)]))
