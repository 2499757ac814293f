/**
 * The key of a username or an email address: NFKC, trimmed, in simple lower case. One code point
 * becomes one, as in PostgreSQL: `toLowerCase` on a whole string makes two of `İ` and looks at the
 * neighbours of `Σ`. The unique indexes, the look-up and the counters of guesses all use this key,
 * so that all spellings of a name are one name everywhere.
 */
export function foldIdentifier(text: string): string {
  let key = text
  let before: string
  // A lower-case letter and the mark behind it may compose again: `J̌` is `ǰ` after a second round.
  do {
    before = key
    key = [...key.normalize('NFKC').trim()].map(lowerCase).join('')
  } while (key !== before)
  return key
}

const exceptions: Readonly<Record<string, string>> = { İ: 'i', ς: 'σ' }

const lowerCase = (letter: string): string => exceptions[letter] ?? letter.toLowerCase()
