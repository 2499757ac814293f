import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** The number of guesses that a password must withstand: zxcvbn's score 3, or eight random characters. */
const fewestGuesses = 1e8

/**
 * zxcvbn's time grows fast with the length (ASVS 1.3.12), and it competes with password checks. So it
 * reads this many characters at a time, 64 at most, and tries few substitutions such as `4` for `a`.
 */
const windowCharacters = 32
const l33tMaxSubstitutions = 16

/** ASVS 6.1.2: words of the installation that a password must not consist of. */
export const contextWords = (issuer: string): string[] => ['signet', new URL(issuer).hostname]

/**
 * ASVS 6.2.4, 6.2.11: why the password is easy to guess, in a sentence or two; undefined when it is not.
 * @param personal names and addresses of the person, and the words of the installation
 */
export async function whyGuessable(
  password: string,
  personal: readonly string[],
): Promise<string | undefined> {
  const zxcvbn = await load()
  const characters = [...password]
  const words = personal.flatMap(wordsOf).slice(0, 64)
  let why: string | undefined
  for (const start of [0, windowCharacters]) {
    const part = characters.slice(start, start + windowCharacters).join('')
    if (part === '') break
    const { guesses, feedback } = zxcvbn.check(part, words)
    // The whole password is at least as hard to guess as its parts.
    if (guesses >= fewestGuesses) return undefined
    why ??= [feedback.warning ?? 'This is easy to guess.', ...feedback.suggestions].join(' ')
  }
  return why
}

/** `ada.lovelace@mail.example` → itself, ada.lovelace, ada, lovelace, adalovelace, mail, example … */
function wordsOf(text: string): string[] {
  const whole = text.normalize('NFKC').toLowerCase().slice(0, 256)
  const local = whole.replace(/@.*$/, '')
  const parts = whole.split(/[^\p{L}\p{N}]+/u)
  const joined = local.replace(/[^\p{L}\p{N}]+/gu, '')
  const words = [whole, local, joined, ...parts].filter(
    (word) => word.length > 2 && word.length <= 64,
  )
  return [...new Set(words)]
}

let loading: Promise<ZxcvbnFactory> | undefined

/** Loads the dictionaries with the first new password: they take a fifth of a second and 23 MB. */
function load(): Promise<ZxcvbnFactory> {
  loading ??= build()
  return loading
}

async function build(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ])
  return new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
    l33tMaxSubstitutions,
  })
}
