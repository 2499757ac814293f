import { readFile } from 'node:fs/promises'
import test from 'ava'
import {
  conformancePage,
  failedModules,
  pageFile,
  planDocument,
  planFile,
} from './conformance-page.ts'
import { titleOf } from './module.ts'
import { plans } from './plans.ts'

const advice = 'is out of date. Renew it: npm run conformance'

test('docs/conformance.md is the result of the modules', async (t) => {
  t.is(await readFile(pageFile, 'utf8').catch(() => ''), conformancePage(), `It ${advice}`)
})

test('docs/conformance/plan.json is the plan of the modules', async (t) => {
  t.is(await readFile(planFile, 'utf8').catch(() => ''), planDocument(), `It ${advice}`)
})

test('every module has a name of the suite, once in its plan', (t) => {
  for (const { modules } of plans) {
    const names = modules.map(({ name }) => name)
    t.is(new Set(names).size, names.length)
    for (const name of names) t.regex(name, /^oidcc-[a-z0-9-]+$/)
  }
})

test('a report with a failed test → its module', (t) => {
  const [module = { name: '', title: '' }] = plans[0]?.modules ?? []
  t.deepEqual([...new Set(failedModules(`  ✘ [fail]: ${titleOf(module)} Error`))], [module.name])
  t.deepEqual(failedModules(`  ✔ ${titleOf(module)}`), [])
})
