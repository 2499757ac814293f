import { createHash, hash } from 'node:crypto'
import { masterKeysFrom } from '../src/keyring/master-keys.ts'

/** The content of every test database: made once in the template, copied with it. */

/** Derived from words, so that nobody takes it for a secret. */
const testMasterKey = createHash('sha256').update('the master key of the tests').digest('base64url')

export const masterKeys = masterKeysFrom([testMasterKey])
export const masterKeyText = testMasterKey

export const ada = { username: 'ada', password: 'correct horse battery staple' }

export const orders = 'https://orders.example'
export const invoices = 'https://invoices.example'

/** A first-party confidential client with every grant. */
export const app = { id: 'app', secret: 'scs_the secret of the tests: & + % ü' }

/** Environment that tests share: cheap password hashes, no fixed ports. */
export const testEnvironment: Record<string, string> = {
  NODE_ENV: 'test',
  PORT: '0',
  METRICS_PORT: '0',
  LOG_LEVEL: 'silent',
  // The machine may be busy.
  DATABASE_TIMEOUT_SECONDS: '20',
  PASSWORD_QUEUE_SECONDS: '60',
  ARGON2_MEMORY_KIB: '8192',
  ARGON2_TIME_COST: '1',
  // A test runs the janitor itself; one in the background would hold its lock.
  JANITOR_SECONDS: '86400',
}

/**
 * The Redis of the run, in which each test database has a Redis database of its own: an instance that fills
 * Redis scans all keys of its database. A Redis that somebody else runs has one for all tests.
 */
export function testRedisUrl(databaseUrl: string): string | undefined {
  const { TEST_REDIS_URL: url, TEST_REDIS_DATABASES: count } = process.env
  if (!url || !count) return url
  const number =
    hash('sha256', databaseUrl.split('/').at(-1) ?? '', 'buffer').readUInt32BE() % Number(count)
  return Object.assign(new URL(url), { pathname: `/${number}` }).href
}

/** The environment that production requires, with the stores of the tests. */
export const production = (databaseUrl: string): Record<string, string> => ({
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  ISSUER: 'https://signet.example',
  DATABASE_URL: databaseUrl,
  REDIS_URL: testRedisUrl(databaseUrl) ?? 'none',
  REDIS_KEY_PREFIX: `${databaseUrl.split('/').at(-1)}:`,
  MASTER_KEYS: masterKeyText,
  SMTP_URL: 'none',
})
