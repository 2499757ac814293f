import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { emptyFolder, signet } from '../support/server/signet.ts'

/** A command on a machine of six cores, and what it says at its end of all its threads but the first. */
async function threadsOf(t: ExecutionContext, env: Readonly<Record<string, string>> = {}) {
  const cwd = await emptyFolder(t)
  const preload = join(cwd, 'preload.cjs')
  const said = join(cwd, 'priorities.json')
  await writeFile(
    preload,
    `const os = require('node:os')
     const { readdirSync, writeFileSync } = require('node:fs')
     os.availableParallelism = () => 6
     process.on('exit', () => {
       const others = readdirSync('/proc/self/task').map(Number).filter((one) => one !== process.pid)
       const priorities = others.map((one) => os.getPriority(one))
       writeFileSync(${JSON.stringify(said)}, JSON.stringify({ own: os.getPriority(), priorities }))
     })`,
  )
  const ran = await signet(['--version'], { cwd, env: { ...env, NODE_OPTIONS: `-r ${preload}` } })
  t.is(ran.code, 0, ran.stderr)
  const { own, priorities } = JSON.parse(await readFile(said, 'utf8'))
  return {
    behind: priorities.filter((one: number) => one === own + 3).length,
    beside: priorities.filter((one: number) => one === own).length,
  }
}

if (process.platform === 'linux') {
  test('the thread pool → two threads more than cores, with a lower priority than the main thread', async (t) => {
    const { behind, beside } = await threadsOf(t)
    t.is(behind, 8)
    t.true(beside > 0, 'those of V8 clean up for the main thread')
  })

  test('UV_THREADPOOL_SIZE is set → it takes precedence', async (t) => {
    t.is((await threadsOf(t, { UV_THREADPOOL_SIZE: '5' })).behind, 5)
  })
} else {
  test('a system without thread priorities → the program still runs', async (t) => {
    const ran = await signet(['--version'], { cwd: await emptyFolder(t) })
    t.is(ran.code, 0, ran.stderr)
  })
}
