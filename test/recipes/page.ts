import { readFile } from 'node:fs/promises'

/** The code of a recipe, by the name that its fence gives it: ```` ```python file=service.py ````. */
export async function filesOfPage(name: string): Promise<ReadonlyMap<string, string>> {
  const page = await readFile(new URL(`../../docs/recipes/${name}.md`, import.meta.url), 'utf8')
  const blocks = page.matchAll(/^```\w+ file=(\S+)\n(.*?)^```$/gms)
  return new Map([...blocks].map(([, file = '', code = '']) => [file, code]))
}

export async function fileOfPage(page: string, file: string): Promise<string> {
  const code = (await filesOfPage(page)).get(file)
  if (code === undefined) throw new Error(`docs/recipes/${page}.md has no block file=${file}`)
  return code
}
