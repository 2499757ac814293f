import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import pg from 'pg'
import {
  freePort,
  type LaunchedPostmaster,
  launchPostmaster,
} from '../../../src/stores/embedded/postmaster.ts'
import { createLauncher } from '../../../src/stores/embedded/unprivileged.ts'
import { debianProgram } from '../../../tools/debian-program.ts'
import { eventually } from '../../../tools/eventually.ts'
import { administer, databaseUrl, prepareTemplate, templateName } from '../../../tools/template.ts'
import { takePlace } from '../server/places.ts'

/** A PostgreSQL with its client programs, which the embedded one lacks. */
export interface DebianPostgres {
  /** The database postgres, as a superuser. */
  readonly url: string
  /** The folder of pg_dump, pg_restore and the others of the same version. */
  readonly programs: string
  /** A database with the content of every test database. */
  copyTemplate(t: ExecutionContext<unknown>): Promise<string>
  /** A role that owns nothing and may read everything; its connections must have TLS. */
  readonly tlsRole: string
  /** An ordinary role that may create databases. */
  readonly ownerUrl: string
  /** A standby that follows it until the end of the test. @returns its port */
  startStandby(t: ExecutionContext<unknown>): Promise<string>
  stop(): Promise<void>
}

const run = promisify(execFile)

/** Passwords of URLs may have every character. */
const password = 'p&ss/w%rd'

const tlsRole = 'signet_tls'
const ownerRole = 'signet_owner'

/** Durable, as doctor wants it. */
const settings = { autovacuum: 'off', max_connections: '100' }

let shared: Promise<DebianPostgres> | undefined

/** One server for the tests of this process. */
export function debianPostgres(): Promise<DebianPostgres> {
  shared ??= start()
  return shared
}

/** After the tests of each file that uses it; the files of a folder share a process. */
export const stopDebianPostgres = async (): Promise<void> => (await shared)?.stop()

async function start(): Promise<DebianPostgres> {
  const postgres = debianProgram('postgres')
  // It may be a link, and the others are beside the program itself.
  const programs = dirname(await realpath(postgres))
  const folder = await mkdtemp(join(tmpdir(), 'signet-debian-'))
  const cluster = join(folder, 'cluster')
  const initdb = join(programs, 'initdb')
  const launcher = await createLauncher({ cluster, folder, programs: [initdb, postgres] })
  const { account } = launcher
  if (account) await chown(folder, account.uid, account.gid)
  const execute = async (program: string, args: readonly string[]) => {
    const command = launcher.command(join(programs, program), args)
    await run(command.file, [...command.args], { ...command.options, cwd: '/' })
  }
  const binaries = { initdb, postgres, major: '' }
  const launch = (at: string, port: number) =>
    launchPostmaster({ cluster: at, logFile: `${at}.log`, binaries, launcher, settings }, port)
  const flags = ['--username=signet', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
  await execute('initdb', [`--pgdata=${cluster}`, ...flags])
  const port = await freePort()
  const launched = await launch(cluster, port)
  const trusted = `postgres://signet@127.0.0.1:${port}/postgres`
  await answers(launched, trusted)
  await secure(trusted, cluster)
  const urlOf = (role: string) =>
    `postgres://${role}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`
  const url = urlOf('signet')
  await prepareTemplate(url)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= end(launched).then(() =>
      rm(folder, { recursive: true, force: true, maxRetries: 5 }),
    )
    return stopped
  }
  const startStandby = async (t: ExecutionContext<unknown>) => {
    const standby = await mkdtemp(join(folder, 'standby-'))
    if (account) await chown(standby, account.uid, account.gid)
    await execute('pg_basebackup', [`--dbname=${url}`, `--pgdata=${standby}`, '-R', '--no-sync'])
    const standbyPort = await freePort()
    const follower = await launch(standby, standbyPort)
    t.teardown(() => end(follower))
    await answers(follower, Object.assign(new URL(url), { port: standbyPort }).href)
    return String(standbyPort)
  }
  const copy = (t: ExecutionContext<unknown>) => copyTemplate(t, url)
  const ownerUrl = urlOf(ownerRole)
  return { url, ownerUrl, programs, tlsRole, copyTemplate: copy, startStandby, stop }
}

async function end(launched: LaunchedPostmaster): Promise<void> {
  launched.stop()
  await eventually(launched.exited, 'PostgreSQL has ended')
}

const answers = (launched: LaunchedPostmaster, url: string) =>
  eventually(async () => {
    if (launched.exited()) throw new Error(`PostgreSQL did not start: ${await launched.log()}`)
    return administer(url, 'SELECT 1').then(
      () => true,
      () => false,
    )
  }, 'PostgreSQL answers')

/** From now on every connection needs the password. */
async function secure(trusted: string, cluster: string): Promise<void> {
  const secret = pg.escapeLiteral(password)
  await administer(trusted, `ALTER ROLE signet PASSWORD ${secret}`)
  await administer(trusted, `CREATE ROLE ${tlsRole} LOGIN PASSWORD ${secret}`)
  await administer(trusted, `CREATE ROLE ${ownerRole} LOGIN CREATEDB PASSWORD ${secret}`)
  await administer(trusted, `GRANT pg_read_all_data TO ${tlsRole}`)
  const from = '127.0.0.1/32'
  const rules = [
    `hostnossl all ${tlsRole} ${from} reject`,
    `host all,replication all ${from} scram-sha-256`,
  ]
  await writeFile(join(cluster, 'pg_hba.conf'), `${rules.join('\n')}\n`)
  await administer(trusted, 'SELECT pg_reload_conf()')
}

async function copyTemplate(t: ExecutionContext<unknown>, serverUrl: string): Promise<string> {
  await takePlace(t)
  const name = `signet_test_${randomUUID().replaceAll('-', '')}`
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${templateName}`)
  t.teardown(() => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  return databaseUrl(serverUrl, name)
}
