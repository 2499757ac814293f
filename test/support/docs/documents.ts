import type { ExecutionContext } from 'ava'

/** What follows a heading of the second level, up to the next one. */
export const chapterOf = (text: string, title: string): string =>
  text.split(/^## /m).find((chapter) => chapter.startsWith(`${title}\n`)) ?? ''

/** The code that a document shows in this language. */
export const blocksOf = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    ([, code]) => code as string,
  )

/** The script with what a reader fills in: assignments that end in `…` or name an address. */
export function filledIn(
  t: ExecutionContext,
  script: string,
  given: Readonly<Record<string, string>>,
): string {
  const filled = script.replace(/^(\w+)=(\S*…|http:\S+)(?= |$)/gm, (line, name) =>
    name in given ? `${name}='${given[name]}'` : line,
  )
  t.notRegex(filled.replace(/#.*/g, ''), /…/, 'something is left to fill in')
  return filled
}
