import { createPublicKey, type KeyObject, randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { createServices } from '../../src/app/services.ts'
import { readConfig } from '../../src/config/config.ts'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { masterKeys, masterKeyText, testEnvironment } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { administer, databaseUrl, templateName } from '../../tools/template.ts'
import type { Closing } from '../support/server/closing.ts'
import { type Ran, type Serving, serve, signet } from '../support/server/signet.ts'

export interface Stores {
  readonly postgresUrl: string
  readonly redisUrl: string
  /** A folder of the run, for processes to be started in. */
  readonly folder: string
}

/** A Signet of its own: a database, and `signet serve` as a process that can be stopped and started. */
export interface Installation extends HttpClient {
  /** Where it listens; the issuer too, unless the environment names another. */
  readonly url: string
  readonly issuer: string
  readonly db: Knex
  start(): Promise<Serving>
  /** A command of the operator, beside the running server. */
  signet(...args: string[]): Promise<Ran>
  /** The key that signs now, as somebody would have it who stole it. */
  stolenKey(): Promise<{ kid: string; privateKey: KeyObject; publicKey: KeyObject }>
}

export async function install(
  { postgresUrl, redisUrl, folder }: Stores,
  closing: Closing,
  environment: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const name = `signet_test_${randomUUID().replaceAll('-', '')}`
  await administer(postgresUrl, `CREATE DATABASE ${name} TEMPLATE ${templateName}`)
  const DATABASE_URL = databaseUrl(postgresUrl, name)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const issuer = environment.ISSUER ?? url
  const env = {
    ...testEnvironment,
    LOG_LEVEL: 'warn',
    PORT: String(port),
    DATABASE_URL,
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: `${name}:`,
    MASTER_KEYS: masterKeyText,
    KEYRING_REREAD_SECONDS: '1',
    ...environment,
  }
  const postgres = openPostgres({ url: DATABASE_URL, poolSize: 2, timeoutSeconds: 10 })
  closing.add(() => postgres.close())
  const services = await createServices({
    ...{ ...postgres, masterKeys, redis: undefined, config: readConfig(env) },
    now: () => new Date(),
    log: openLog({ level: 'silent', format: 'json' }),
  })
  await ageKeys(postgres.db, 7200)
  return Object.assign(new HttpClient(url), {
    url,
    issuer,
    db: postgres.db,
    start: () => serve(closing.test, { cwd: folder, env: { ...env, LOG_LEVEL: 'info' } }),
    async signet(...args: string[]) {
      const ran = await signet(args, { cwd: folder, env })
      if (ran.code !== 0) throw new Error(`signet ${args.join(' ')}: ${ran.stderr}`)
      return ran
    },
    async stolenKey() {
      const { kid, privateKey } = (await services.keyring.reread()).signer(new Date())
      return { kid, privateKey, publicKey: createPublicKey(privateKey) }
    },
  })
}

/** Lets time pass for the signing keys alone: all that happened to them, and will, is so much earlier. */
export async function ageKeys(db: Knex, seconds: number): Promise<void> {
  const times = ['published_at', 'signs_from', 'signs_until', 'published_until', 'revoked_at']
  const earlier = times.map((time) => `${time} = ${time} - ? * interval '1 second'`).join(', ')
  await db.raw(`UPDATE signing_keys SET ${earlier}`, Array(times.length).fill(seconds))
}
