import test from 'ava'
import { configuration, issuer } from './config-module.ts'
import { titleOf } from './module.ts'
import { startProvider } from './relying-party.ts'

for (const module of configuration) {
  test(titleOf(module), async (t) => {
    await module.check(t, await startProvider(t, { environment: { ISSUER: issuer } }))
  })
}
