import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { type App, createApp } from '../../../src/app/app.ts'
import type { Services } from '../../../src/app/services.ts'
import { readConfig } from '../../../src/config/config.ts'
import type { MasterKeys } from '../../../src/keyring/master-keys.ts'
import type { Hashing } from '../../../src/passwords/hashing.ts'
import { openTheme } from '../../../src/server/open-theme.ts'
import { openTracer } from '../../../src/server/open-tracer.ts'
import { openPostgres } from '../../../src/stores/postgres.ts'
import { openRedis, type RedisClient } from '../../../src/stores/redis.ts'
import { openLog } from '../../../src/telemetry/log.ts'
import { delayLimits, type Limits, limits } from '../../../src/throttle/limits.ts'
import {
  testEnvironment,
  masterKeys as testMasterKeys,
  testRedisUrl,
} from '../../../tools/fixtures.ts'
import { type Answer, HttpClient } from '../../../tools/http-client.ts'
import { administer, databaseUrl, templateName } from '../../../tools/template.ts'
import { takePlace } from './places.ts'

/** A clock that a test moves by hand: it goes on by itself as well, unless it stands still. */
export class Clock {
  #offset = 0
  readonly #stoodAt: number | undefined
  readonly now = (): Date => new Date((this.#stoodAt ?? Date.now()) + this.#offset)

  constructor(stoodAt?: Date) {
    this.#stoodAt = stoodAt?.getTime()
  }

  advance({ seconds = 0, minutes = 0, hours = 0, days = 0 }): void {
    this.#offset += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
  }
}

/** The same limits, a million times as wide. */
const unthrottled = {
  limits: Object.fromEntries(
    Object.entries(limits).map(([kind, list]) => [
      kind,
      list.map((limit) => ({ ...limit, points: limit.points * 1e6 })),
    ]),
  ) as unknown as Limits,
  delays: { ...delayLimits, freeFailures: 1e6 },
}

export interface ServerOptions {
  /** Environment variables beside those of fixtures.ts. */
  readonly environment?: Record<string, string>
  /** Instead of one that goes on by itself. */
  readonly clock?: Clock
  /** Another instance on the same database, clock and keys. */
  readonly beside?: TestServer
  /** `false`: without Redis. A URL: that Redis; several, separated by commas: that cluster. Otherwise the shared one, under a prefix of its own. */
  readonly redis?: false | string
  /** A database of one's own making, instead of a copy of the template. */
  readonly database?: string
  readonly masterKeys?: MasterKeys
  /** For a test that tries more than the limits against abuse allow. */
  readonly unthrottled?: boolean
  /** Where passwords are checked, if not in the process of the test. */
  readonly hashing?: Hashing
  /** Sees every line that the server logs. */
  readonly logTo?: (line: string) => void
}

/** One instance of the server, and ways to call it over HTTP. */
export interface TestServer extends HttpClient {
  readonly url: string
  readonly databaseUrl: string
  readonly clock: Clock
  readonly db: Knex
  readonly redis: RedisClient | undefined
  readonly app: App
  readonly services: Services
  readonly keyPrefix: string
  readonly masterKeys: MasterKeys
  /** Stops it before the end of the test. */
  stop(): Promise<void>
}

/** Starts an instance on a free port with a database of its own; all of it goes with the test. */
export async function startServer(
  t: ExecutionContext<unknown>,
  options: ServerOptions = {},
): Promise<TestServer> {
  const { beside } = options
  const database = options.database ?? beside?.databaseUrl ?? (await copyTemplate(t))
  const clock = options.clock ?? beside?.clock ?? new Clock()
  const keyPrefix = beside?.keyPrefix ?? `${randomUUID()}:`
  const masterKeys = options.masterKeys ?? beside?.masterKeys ?? testMasterKeys

  // As `signet serve`. With the five seconds of Node a stall of the process closes connections under a request.
  const http = createServer({ keepAliveTimeout: 65_000 })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const issuer = beside?.app.issuer ?? url
  // Mails are files of the test, and the runner removes them with its folder.
  const DATA_DIR = join(tmpdir(), `signet-data-${randomUUID()}`)
  const config = readConfig({
    ...testEnvironment,
    DATA_DIR,
    ISSUER: issuer,
    ...options.environment,
  })
  const timeoutSeconds = config.DATABASE_TIMEOUT_SECONDS
  const postgres = openPostgres({ url: database, poolSize: 10, timeoutSeconds })
  const redis = openTestRedis(
    options.redis ?? testRedisUrl(database),
    keyPrefix,
    options.redis === undefined,
  )
  // The counters give it a second, which a busy machine may not have.
  if (redis && options.redis === undefined && redis.status !== 'ready') await once(redis, 'ready')
  const log = openLog({
    level: options.logTo ? 'info' : 'silent',
    format: 'json',
    isTraced: config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined,
    to: options.logTo,
  })
  const tracer = await openTracer(config, log)
  let app: App | undefined
  let stopped: Promise<void> | undefined
  const stop = async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
    await app?.stop()
    redis?.disconnect()
    await postgres.close()
    await tracer?.close(5)
  }
  const stopOnce = () => {
    stopped ??= stop()
    return stopped
  }
  // Before it starts: one that refuses to must leave nothing open either.
  t.teardown(stopOnce)
  app = await createApp({
    ...postgres,
    config,
    redis,
    masterKeys,
    now: clock.now,
    log,
    ...(await openTheme(config, log)),
    ...(options.unthrottled && unthrottled),
    ...(options.hashing && { hashing: options.hashing }),
    ...(tracer && { tracer }),
  })
  await app.start()
  http.on('request', app.handler)
  const parts = { url, databaseUrl: database, clock, db: postgres.db, redis, keyPrefix, masterKeys }
  return Object.assign(new HttpClient(url), {
    ...parts,
    app,
    services: app.services,
    stop: stopOnce,
  })
}

/** A copy of the template that is dropped with the test. */
export async function copyTemplate(t: ExecutionContext<unknown>): Promise<string> {
  await takePlace(t)
  const serverUrl = required('TEST_DATABASE_URL')
  const name = `signet_test_${randomUUID().replaceAll('-', '')}`
  const strategy = process.env.TEST_DATABASE_STRATEGY
  const how = strategy ? ` STRATEGY ${strategy}` : ''
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${templateName}${how}`)
  t.teardown(() => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  return databaseUrl(serverUrl, name)
}

function openTestRedis(url: false | string | undefined, keyPrefix: string, isShared: boolean) {
  if (url === false) return undefined
  if (url === undefined) throw missing('TEST_REDIS_URL')
  // A Redis of the test's own may be stopped or slow on purpose; the shared one only when the machine is busy.
  const timeoutMilliseconds = isShared ? 20_000 : 1000
  const redis = openRedis({ urls: url.split(','), timeoutMilliseconds, keyPrefix })
  redis.on('error', () => undefined)
  return redis
}

function required(name: string): string {
  const value = process.env[name]
  if (value) return value
  throw missing(name)
}

const missing = (name: string) =>
  new Error(`${name} is not set: run the tests with npm test (npm test -- test/one.test.ts)`)

export type { Answer }
