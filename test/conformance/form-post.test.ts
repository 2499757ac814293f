// Alone: its titles are those of the Basic profile, which is in the same folder.
import test from 'ava'
import { titleOf } from './module.ts'
import { basic } from './plans.ts'
import { startProvider } from './relying-party.ts'

for (const module of basic) {
  test(titleOf(module), async (t) => {
    await module.check(t, await startProvider(t, { mode: 'form_post' }))
  })
}
