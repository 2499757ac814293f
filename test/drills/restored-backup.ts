import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { administer, databaseUrl } from '../../tools/template.ts'
import { signet } from '../support/server/signet.ts'
import { debianPostgres, stopDebianPostgres } from '../support/stores/debian-postgres.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { environmentOf, type Place, startInstances } from './instances.ts'
import { query } from './replicated-postgres.ts'
import { pgBouncerCommand } from './switchover.ts'

const familyCount = 60

/** The steps of docs/operations.md: a backup is restored, and takes the place of the database. */
export async function restoredBackup(place: Place): Promise<Cost> {
  const { folder, closing } = place
  const postgres = await debianPostgres()
  closing.add(stopDebianPostgres)
  const url = await postgres.copyTemplate(closing.test)
  const bouncer = await startPgBouncer(closing.test, url)
  const environment = { DATABASE_PREPARED_STATEMENTS: String(bouncer.isPreparing) }
  const instances = await startInstances(place, bouncer.url, [environment, environment])
  const families = new Families(instances, await signInMany(url, instances, familyCount))
  families.start()
  await families.refreshed(1)
  const backup = join(folder, 'drill.dump')
  const run = async (databaseUrl: string, ...args: readonly string[]) => {
    const env = environmentOf(databaseUrl)
    const { code, stderr } = await signet(args, { cwd: folder, env })
    if (code !== 0) throw new Error(`signet ${args.join(' ')}: ${stderr}`)
  }
  await run(url, 'backup', 'create', backup, '--pg-dump', join(postgres.programs, 'pg_dump'))
  await families.refreshed(2)

  const name = new URL(url).pathname.slice(1)
  const restored = databaseUrl(postgres.url, `${name}_restored`)
  await pgBouncerCommand(bouncer.url, 'PAUSE')
  await administer(postgres.url, `CREATE DATABASE ${name}_restored`)
  const flags = ['--exit-on-error', '--no-owner', '--no-privileges', `--dbname=${restored}`]
  await promisify(execFile)(join(postgres.programs, 'pg_restore'), [...flags, backup])
  await run(restored, 'backup', 'verify', '--manifest', `${backup}.json`)
  await run(restored, 'migrate')
  await administer(postgres.url, `ALTER DATABASE ${name} RENAME TO ${name}_lost`)
  await administer(postgres.url, `ALTER DATABASE ${name}_restored RENAME TO ${name}`)
  await pgBouncerCommand(bouncer.url, 'RESUME')

  await families.refreshed(3)
  const cost = await costOf(families, url)
  const sql = `SELECT count(*)::int AS count FROM audit_events WHERE event = 'session.ahead'`
  const [row] = await query(url, sql)
  if (Number(row?.count) === 0) throw new Error('no session was ahead of the restored database')
  return cost
}
