import { readFile } from 'node:fs/promises'
import { fileBlocksOf } from '../support/docs/documents.ts'

/**
 * The code of a page of the documentation, by the name that its fence gives it.
 * @param page below docs/, without `.md`
 */
export async function filesOfPage(page: string): Promise<ReadonlyMap<string, string>> {
  return fileBlocksOf(await readFile(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8'))
}

export async function fileOfPage(page: string, file: string): Promise<string> {
  const code = (await filesOfPage(page)).get(file)
  if (code === undefined) throw new Error(`docs/${page}.md has no block file=${file}`)
  return code
}
