import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { masterKeyText } from '../tools/fixtures.ts'
import { type Child, startChild } from './child.ts'
import type { Stage } from './stage.ts'

/** This build. */
export const thisBuild = fileURLToPath(new URL('../dist/src/main.cjs', import.meta.url))

export const person = { username: 'bench', password: 'correct horse battery staple' }
export const audience = 'https://api.bench.example'
export const issuer = 'https://signet.bench.example'

/** A database with a client and people in it, ready for servers. */
export interface Installation {
  readonly databaseUrl: string
  readonly env: Readonly<Record<string, string>>
  /** `Authorization` of the client. */
  readonly basic: string
  readonly program: string
  /** Runs a command of it, and returns its standard output. */
  readonly command: (args: readonly string[], input?: string) => Promise<string>
}

export interface Server {
  readonly url: string
  readonly child: Child
  readonly readySeconds: number
}

/** As an operator does it in production: migrate, register a client, create people. */
export async function install(
  stage: Stage,
  { name, program = thisBuild, people }: { name: string; program?: string; people: number },
): Promise<Installation> {
  const cwd = join(stage.folder, name)
  await mkdir(cwd)
  const databaseUrl = await stage.createDatabase(name)
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    ISSUER: issuer,
    DATABASE_URL: databaseUrl,
    REDIS_URL: stage.redisUrl,
    REDIS_KEY_PREFIX: `${name}:`,
    MASTER_KEYS: masterKeyText,
    SMTP_URL: 'none',
    METRICS_PORT: '0',
    LOG_LEVEL: 'warn',
  }
  const { PATH = '' } = process.env
  const command = async (args: readonly string[], input = '') => {
    const run = promisify(execFile)(process.execPath, [program, ...args], {
      ...{ cwd, env: { PATH, ...env } },
    })
    run.child.stdin?.end(input)
    return (await run).stdout
  }
  await command(['migrate'])
  // The release before calls it `secret`.
  const { client_secret, secret = client_secret } = JSON.parse(
    await command([
      ...['clients', 'create', 'app', '--json', '--first-party', '--audience', audience],
      ...['--grant', 'password,refresh_token,client_credentials'],
      ...['--scope', 'read write offline_access', '--introspect', '*'],
    ]),
  )
  await command(['users', 'create', person.username, '--password-stdin'], person.password)
  await clonePeople(databaseUrl, people)
  return { databaseUrl, env, basic: basicOf('app', secret), program, command }
}

/** A client that people sign in to through the browser; as it is first-party, they are not asked for consent. */
export async function addWebApp({ command }: Installation, redirectUri: string, clientId = 'web') {
  const { client_secret } = JSON.parse(
    await command([
      ...['clients', 'create', clientId, '--json', '--first-party', '--audience', audience],
      ...['--grant', 'authorization_code', '--scope', 'openid read write'],
      ...['--redirect-uri', redirectUri],
    ]),
  )
  return { clientId, basic: basicOf(clientId, client_secret) }
}

const basicOf = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${encodeURIComponent(secret)}`).toString('base64')}`

/** `bench-1`, `bench-2`, …: people with the same password, each with a row of their own. */
async function clonePeople(databaseUrl: string, people: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client
    .query(
      `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
       SELECT gen_random_uuid(), 'bench-' || n, password_hash, password_changed_at, roles, created_at
         FROM users, generate_series(1, $1) AS n WHERE username = $2`,
      [people, person.username],
    )
    .finally(() => client.end())
}

export interface Serving {
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArguments?: readonly string[]
  /** Options of `signet serve`. */
  readonly options?: readonly string[]
}

/** `signet serve` on an installation; ready when its health check says so. */
export async function serve(
  stage: Stage,
  { env, program }: Installation,
  { env: further = {}, nodeArguments = [], options = [] }: Serving = {},
): Promise<Server> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = startChild(
    [...nodeArguments, program, 'serve', ...options],
    { ...env, PORT: String(port), ...further },
    stage.folder,
  )
  stage.onClose(child.close)
  const url = `http://127.0.0.1:${port}`
  while (!(await isReady(url))) {
    if (child.ended()) throw new Error(`signet serve has ended:\n${child.said()}`)
    await sleep(5)
  }
  return { url, child, readySeconds: (performance.now() - startedAt) / 1000 }
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  )
