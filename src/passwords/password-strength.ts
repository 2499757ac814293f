import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** Guesses that a password must withstand: zxcvbn's score 3, and eight characters without a pattern. */
const fewestGuesses = 1e8

/**
 * zxcvbn's time grows fast with the length (ASVS 1.3.12), and in a server it takes the time of password
 * checks: it looks at this many characters at a time and at 64 at most, and at few ways to read `4` as `a`.
 */
const windowCharacters = 32
const l33tMaxSubstitutions = 16

/** ASVS 6.1.2: words of the place, beside the person's own data, that a password is not made of. */
export const contextWords = (issuer: string): string[] => ['signet', new URL(issuer).hostname]

/**
 * ASVS 6.2.4, 6.2.11: why the password can be guessed, in a sentence or two; undefined when it cannot.
 * @param personal names and addresses of the person, and the words of the place
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
    // The whole is not easier to guess than a part of it.
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

/** The dictionaries take a fifth of a second and 23 MB: not at the start, but when somebody chooses a password. */
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
