import test from 'ava'
import { production } from '../../tools/fixtures.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'
import { freshToken, publishedKids, signerOf } from './tend.ts'

test('ROT-1: once keys revoke has returned, three instances under load issue no token with that key', async (t) => {
  // Regular readings of the keys would come long after the test.
  const environment = { KEYRING_REREAD_SECONDS: '60' }
  const server = await startServer(t, { environment, unthrottled: true })
  const beside = { environment, beside: server, unthrottled: true }
  const instances = [server, await startServer(t, beside), await startServer(t, beside)]
  const [leaked = ''] = await publishedKids(server)
  const cwd = await emptyFolder(t)
  const env = { ...production(server.databaseUrl), REDIS_KEY_PREFIX: server.keyPrefix }

  const issued: string[] = []
  let loading = true
  let returned = false
  const load = instances.flatMap((instance) =>
    [1, 2].map(async () => {
      while (loading) {
        const token = await freshToken(instance)
        if (returned) issued.push(token)
      }
    }),
  )
  const ran = await signet(['keys', 'revoke', leaked, '--yes'], { cwd, env })
  returned = true
  t.is(ran.code, 0, ran.stderr)
  while (issued.length < 200) await freshToken(server)
  loading = false
  await Promise.all(load)
  t.deepEqual(
    issued.filter((token) => signerOf(token) === leaked),
    [],
  )
  for (const instance of instances) t.false((await publishedKids(instance)).includes(leaked))
  t.true((await server.introspect(issued.at(-1) ?? '')).body.active)
})
