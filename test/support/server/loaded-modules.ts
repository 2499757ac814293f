import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Lists the modules that a `signet` command loads.
 * @param cwd an empty folder, where the command runs
 */
export async function watchModules(cwd: string) {
  const list = join(cwd, 'loaded.txt')
  // Loader hooks run in a thread of their own and see every module of the process.
  const hooks = `
    import { appendFileSync } from 'node:fs'
    export const load = (url, context, next) => {
      appendFileSync(${JSON.stringify(list)}, url + '\\n')
      return next(url, context)
    }`
  const preload = join(cwd, 'preload.mjs')
  await writeFile(join(cwd, 'hooks.mjs'), hooks)
  await writeFile(
    preload,
    `import { register } from 'node:module'
     register(${JSON.stringify(pathToFileURL(join(cwd, 'hooks.mjs')).href)})`,
  )
  return {
    env: { NODE_OPTIONS: `--import ${pathToFileURL(preload).href}` },
    loaded: async () => (await readFile(list, 'utf8')).split('\n'),
  }
}
