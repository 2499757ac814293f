/** One check: `skipped` if it was not reached, does not apply, or lacks an expectation to compare with. */
export interface Check {
  readonly check: string
  readonly state: 'passed' | 'failed' | 'skipped'
  /** For operators; it has no secret in it, and texts of strangers only in quotes. */
  readonly message: string
}

/** The checks of something in the order in which the server does them. */
export interface Explanation {
  /** `access token`, `person`, `request` … */
  readonly subject: string
  /** An id that is no secret. */
  readonly id?: string | undefined
  readonly checks: readonly Check[]
  readonly notes: readonly string[]
}

/** The expectations that some checks compare with. */
export interface Expected {
  readonly audience?: string | undefined
  readonly scope?: readonly string[] | undefined
  readonly clientId?: string | undefined
  readonly redirectUri?: string | undefined
  readonly codeVerifier?: string | undefined
}

export const passed = (check: string, message: string): Check => ({
  check,
  state: 'passed',
  message,
})
export const failed = (check: string, message: string): Check => ({
  check,
  state: 'failed',
  message,
})
export const skipped = (check: string, message = 'not reached'): Check => ({
  check,
  state: 'skipped',
  message,
})

/** The check that decides. */
export const firstFailed = ({ checks }: Explanation): Check | undefined =>
  checks.find(({ state }) => state === 'failed')

/** Checks of which `at` is the first that failed: those before it passed, those behind it were not reached. */
export function upTo<Name extends string>(
  names: readonly Name[],
  at: Name | undefined,
  messages: Partial<Readonly<Record<Name, string>>>,
): Check[] {
  const place = at === undefined ? names.length : names.indexOf(at)
  return names.map((name, index) => {
    const message = messages[name] ?? ''
    if (index < place) return passed(name, message)
    return index === place ? failed(name, message) : skipped(name)
  })
}

/** A text of a stranger: short, in quotes, without characters that a terminal would obey. */
export function quoted(value: unknown, most = 100): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const shown = text.length > most ? `${text.slice(0, most)}…` : text
  const json = JSON.stringify(shown)
  return json.replace(/[^\x20-\x7e…]/g, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

/** To the second, in UTC. */
export const momentOf = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

const span = (seconds: number): string => {
  const [unit, size] = units.find(([, one]) => seconds >= 2 * one) ?? ['s', 1]
  return `${Math.floor(seconds / size)} ${unit}`
}

/** A time with its distance from now. */
export function relative(date: Date, now: Date): string {
  const seconds = (date.getTime() - now.getTime()) / 1000
  const distance = seconds < 0 ? `${span(-seconds)} ago` : `in ${span(seconds)}`
  return `${momentOf(date)}, ${distance}`
}

export const listed = (items: readonly string[]): string =>
  items.length === 0 ? 'none' : items.join(' ')
