import type { ExecutionContext } from 'ava'

/** The chapter below a heading of the second level. */
export const chapterOf = (text: string, title: string): string =>
  text.split(/^## /m).find((chapter) => chapter.startsWith(`${title}\n`)) ?? ''

/** The code blocks of a document in one language. */
export const blocksOf = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    ([, code]) => code as string,
  )

/** The code blocks whose fence names a file, by that name: ```` ```python file=service.py ````. */
export const fileBlocksOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    [...text.matchAll(/^```\w+ file=(\S+)\n(.*?)^```$/gms)].map(([, file = '', code = '']) => [
      file,
      code,
    ]),
  )

/** Fills in what a reader has to: assignments that end in `…` or contain a URL. */
export function filledIn(
  t: ExecutionContext,
  script: string,
  given: Readonly<Record<string, string>>,
): string {
  const filled = script.replace(/^(\w+)=(\S*…|http:\S+)(?= |$)/gm, (line, name) =>
    name in given ? `${name}='${given[name]}'` : line,
  )
  t.notRegex(filled.replace(/#.*/g, ''), /…/, 'a value is not filled in')
  return filled
}
