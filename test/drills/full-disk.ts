import { execFile, spawnSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '../../tools/eventually.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { startPostgresServer } from '../../tools/postgres-server.ts'
import { databaseUrl, prepareTemplate, templateName } from '../../tools/template.ts'
import type { Serving } from '../support/server/signet.ts'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'

const familyCount = 60
const diskSize = '512m'

/** The disk of PostgreSQL is full: sign-ins wait for space, refreshes go on. */
export async function fullDisk(place: Place): Promise<Cost | string> {
  const disk = join(place.folder, 'disk')
  await mkdir(disk)
  const options = ['-t', 'tmpfs', '-o', `size=${diskSize},mode=0711`, 'tmpfs', disk]
  const { status, error, stderr } = spawnSync('mount', options, { encoding: 'utf8' })
  if (status !== 0) return `no disk of a limited size: ${(error?.message ?? stderr).trim()}`
  place.closing.add(() => spawnSync('umount', [disk]))
  const server = await startPostgresServer(join(disk, 'postgres'), () => undefined)
  place.closing.add(() => server.close())
  await prepareTemplate(server.url)
  const url = databaseUrl(server.url, templateName)
  const [one, two] = (await startInstances(place, url, [{}, {}])) as [Serving, Serving]
  const families = new Families([one, two], await signInMany(url, [one, two], familyCount))
  families.start()
  await families.refreshed(1)

  const filler = join(disk, 'filler')
  // It ends with an error, because it is never done.
  await promisify(execFile)('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k']).catch(() => undefined)
  const client = new HttpClient(one.url)
  const signsIn = async (expected: number) => (await client.signIn()).status === expected
  await eventually(() => signsIn(503), 'a sign-in finds the disk full', 60)
  const ready = await client.get('/health/ready')
  if (!ready.text.includes('disk of PostgreSQL is full')) {
    throw new Error(`/health/ready does not say so: ${ready.text}`)
  }
  await families.refreshed(3)
  await rm(filler)
  await eventually(() => signsIn(200), 'people sign in again', 60)

  await families.refreshed(1)
  const cost = await costOf(families, url)
  return { ...cost, answers: `refreshes: ${cost.answers}; sign-ins: 503 until there is space` }
}
