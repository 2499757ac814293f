/** The words and sentences that CONTRIBUTING.md rules out, and where they stand. */

/** Words of an earlier vocabulary of this project, which no reader knows. */
const banned =
  /\b(rooms|(?:mail|every|each|a|its|the) room of|worlds?|doors?|doorkeeper|flock|whoever|whosoever|gathered|knocks?|hasten(?:s|ed)?|parted by|wished for|turns? up at|mistakes? of the server)\b/i

/** A clause without a main sentence: "What has expired is taken away", "Whoever comes first". */
const headless = /^(What|Whatever|Whoever|Who|Whether|Nobody|So many|Of)\b/

export interface Finding {
  readonly line: number
  readonly text: string
}

/** A sentence may open with such a word when it asks something. */
const isHeadless = (text: string): boolean =>
  headless.test(text) && !/^[^.!:]*\?/.test(text) && !/^What's\b/.test(text)

const finding = (line: number, text: string): Finding[] =>
  isHeadless(text) || banned.test(text) ? [{ line, text: text.slice(0, 100) }] : []

/** Comments and test titles of a TypeScript file. */
export function findingsInCode(source: string): Finding[] {
  const lines = source.split('\n')
  return lines.flatMap((line, at) => {
    const title = /^\s*test(?:\.serial)?\(\s*(['"`])(.+?)\1/.exec(line)?.[2]
    if (title !== undefined) return finding(at + 1, title.replace(/^(?:RFC|ASVS) [^:]*: /, ''))
    const comment = /^\s*(?:\/\*\*|\/\/|\*(?!\/)) ?(.*?)(?:\s*\*\/)?$/.exec(line)?.[1]
    if (comment === undefined || comment.startsWith('biome-ignore')) return []
    const before = lines[at - 1] ?? ''
    const isFirst = !/^\s*(\/\/|\*|\/\*\*)/.test(before) || /\/\*\*\s*$/.test(before)
    if (isFirst) return finding(at + 1, comment)
    return banned.test(comment) ? [{ line: at + 1, text: comment.slice(0, 100) }] : []
  })
}

/** Headings and paragraphs of a Markdown file, without its code. */
export function findingsInProse(source: string): Finding[] {
  let isCode = false
  const lines = source.split('\n')
  return lines.flatMap((line, at) => {
    if (/^\s*```/.test(line)) isCode = !isCode
    if (isCode) return []
    const text = line.replace(/`[^`]*`/g, '').replace(/^#+ /, '')
    const isFirst = /^#/.test(line) || (lines[at - 1] ?? '').trim() === ''
    if (isFirst) return finding(at + 1, text)
    return banned.test(text) ? [{ line: at + 1, text: text.slice(0, 100) }] : []
  })
}
