import test from 'ava'
import { backChannelLogout } from './logout-modules.ts'
import { titleOf } from './module.ts'
import { startProvider } from './relying-party.ts'

for (const module of backChannelLogout) {
  test(titleOf(module), async (t) => {
    await module.check(t, await startProvider(t))
  })
}
