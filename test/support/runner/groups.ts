import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { root } from '../../../tools/root.ts'

const built = join(root, 'dist', 'test')
const groups = join(built, 'groups')

/** At most so many files in one process: enough to share its start, few enough to keep the cores busy. */
const filesPerGroup = 12

/** A test file may say that it needs a process of its own, and why. */
export const isAlone = (source: string): boolean => /^\/\/ Alone: \S/m.test(source)

/**
 * Loading the server takes longer than most tests, so the files of a folder share processes: a group is a
 * file that imports them. Files that measure the process or change it say `// Alone: why`.
 *
 * @param folders only what lies in these, such as `dist/test/sessions`; everything when there are none
 * @returns the arguments for ava
 */
export async function groupTests(folders: readonly string[]): Promise<string[]> {
  await rm(groups, { recursive: true, force: true })
  const files = await readdir(built, { recursive: true })
  const isWanted = (file: string) =>
    folders.length === 0 || folders.some((folder) => `dist/test/${file}`.startsWith(`${folder}/`))
  const tests = files.filter((file) => file.endsWith('.test.js') && isWanted(file)).sort()
  const singles: string[] = []
  const byFolder = new Map<string, string[]>()
  for (const file of tests) {
    const source = await readFile(join(root, 'test', file.replace(/\.js$/, '.ts')), 'utf8')
    const folder = dirname(file)
    if (folder === '.' || isAlone(source)) singles.push(file)
    else byFolder.set(folder, [...(byFolder.get(folder) ?? []), file])
  }
  const made: string[] = []
  for (const [folder, members] of byFolder) {
    const count = Math.ceil(members.length / filesPerGroup)
    for (let part = 0; part < count; part += 1) {
      const name = `${folder}${count > 1 ? `-${part + 1}` : ''}.test.js`
      const file = join(groups, name)
      const imports = members
        .filter((_, index) => index % count === part)
        .map((member) => `import ${JSON.stringify(relative(dirname(file), join(built, member)))}\n`)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, imports.join(''))
      made.push(join('groups', name))
    }
  }
  return [...singles, ...made].map((file) => join('dist', 'test', file))
}
