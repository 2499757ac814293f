import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createFile } from '../../../src/cli/backup/new-file.ts'

const noLinks = () => Promise.reject(Object.assign(new Error('no links'), { code: 'EOPNOTSUPP' }))

for (const [system, linkFile] of [
  ['with links', undefined],
  ['without links', noLinks],
] as const) {
  test(`a file system ${system} → a file gets its name when it is complete, and replaces none`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-new-file-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const path = join(folder, 'one')
    const write = async (text: string) => {
      await using file = await createFile(path, linkFile)
      await file.output.writeFile(text)
      t.true((await readdir(folder)).some((name) => name.endsWith('.partial')))
      await file.publish()
    }
    await write('first')
    await t.throwsAsync(write('second'), { message: /exists: a backup never replaces a file/ })
    t.deepEqual(await readdir(folder), ['one'])
    t.is(await readFile(path, 'utf8'), 'first')
  })
}
