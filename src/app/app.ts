import type { RequestListener } from 'node:http'
import Koa from 'koa'
import type { HealthCheck } from '../endpoints/health.ts'
import { StallWatch } from '../http/abandoned.ts'
import { documentFastPath } from '../http/cached-documents.ts'
import type { RequestState } from '../http/context.ts'
import { hungUp, RequestLog } from '../http/request-log.ts'
import { inspectSchema } from '../stores/migrations.ts'
import { registerGauges } from './gauges.ts'
import { Jobs } from './jobs.ts'
import { noteRefusal } from './refusal-notes.ts'
import { createRoutes } from './routes.ts'
import { createServices, type Runtime, type Services } from './services.ts'

export interface App {
  readonly issuer: string
  readonly services: Services
  readonly handler: RequestListener
  /** Method and path of each route of the API. */
  readonly routes: readonly string[]
  /** Method and path of each route of the pages for people. */
  readonly pages: readonly string[]
  /** Creates missing keys, reads the keyring and starts the background jobs. */
  start(): Promise<void>
  /** Readiness fails from now on, so that no new traffic is sent here. */
  drain(): void
  /** Stops the background jobs. */
  stop(): Promise<void>
}

/** Creates the services and mounts the routes on them. */
export async function createApp(runtime: Runtime): Promise<App> {
  const { config, log, tracer } = runtime
  const services = await createServices(runtime)
  const { metrics } = services
  const { issuer } = config
  let draining = false
  const stalls = new StallWatch()
  const routes = createRoutes({
    runtime,
    services,
    checks: healthChecks(runtime, services, () => draining),
    stalls,
  })

  const koa = new Koa<RequestState>()
  const requests = new RequestLog({
    log,
    metrics,
    trustedProxies: config.TRUSTED_PROXIES,
    sample: config.LOG_SAMPLE,
    tracer,
    onRefused: noteRefusal(services.refusals),
  })
  koa.use(requests.middleware)
  koa.use(routes.middleware)
  koa.on('error', (error) =>
    log[hungUp(error) ? 'debug' : 'error']({ err: error }, 'a response could not be sent'),
  )
  registerGauges(runtime, services)

  const jobs = new Jobs(runtime, services)
  return {
    issuer,
    services,
    handler: documentFastPath(
      { requests, documents: routes.documents, fields: routes.documentFields },
      koa.callback(),
    ),
    routes: routes.list,
    pages: routes.pages,
    start: () => jobs.start(),
    drain() {
      draining = true
      services.feed.drain()
    },
    stop() {
      stalls.stop()
      return jobs.stop()
    },
  }
}

/** The disk counts as full for this long after the last write that failed. */
const fullDiskSeconds = 60

function healthChecks(
  { db, redis, now, databaseClock, fullDisk }: Runtime,
  { keyring, index }: Services,
  isDraining: () => boolean,
): Record<string, HealthCheck> {
  return {
    accepting: async () => (isDraining() ? 'is shutting down' : undefined),
    database: async () => void (await db.raw('SELECT 1')),
    clock: async () => {
      if (databaseClock?.agrees ?? true) return undefined
      const seconds = Math.abs(databaseClock?.offsetSeconds ?? 0).toFixed(0)
      return `differs from the clock of PostgreSQL by ${seconds} s: synchronize both with NTP`
    },
    // Refreshes still work, and all instances share the disk, so traffic need not go elsewhere.
    disk: async () => {
      const seconds = fullDisk?.secondsSince
      if (seconds === undefined || seconds > fullDiskSeconds) return undefined
      return 'ok, but the disk of PostgreSQL is full: sign-ins and other new rows fail'
    },
    migrations: async () => {
      const { state } = await inspectSchema(db)
      return state === 'behind' ? 'pending: run signet migrate' : undefined
    },
    redis: async () => {
      if (!redis) return 'ok, not used'
      return index?.trusted ? undefined : 'ok, away: PostgreSQL answers instead'
    },
    keys: async () => {
      keyring.current.signer(now())
      return undefined
    },
  }
}
