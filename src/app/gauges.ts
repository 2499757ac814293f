import { secondsBetween } from '../clock.ts'
import type { JanitorRun } from '../janitor/janitor.ts'
import { keyState } from '../keyring/signing-key.ts'
import { templateNames } from '../mail/templates.ts'
import { droppedLines } from '../telemetry/log.ts'
import { limits } from '../throttle/limits.ts'
import type { Runtime, Services } from './services.ts'

/** Registers the metrics that are read from their owner at each scrape. */
export function registerGauges(runtime: Runtime, services: Services): void {
  databaseGauges(runtime, services)
  passwordGauges(runtime, services)
  revocationGauges(runtime, services)
  backgroundGauges(runtime, services)
  traceGauges(runtime, services)
  startAtZero(services)
}

/**
 * Counters that alerts watch exist before their first event: `increase()` of Prometheus would miss the event
 * with which a counter begins.
 */
function startAtZero({ metrics }: Services): void {
  for (const outcome of ['rotated', 'repeated', 'ahead', 'reused'])
    metrics.refreshes.inc({ outcome }, 0)
  for (const outcome of ['delivered', 'retried', 'given_up']) metrics.logouts.inc({ outcome }, 0)
  for (const template of templateNames()) metrics.mails.inc({ template, outcome: 'given_up' }, 0)
  for (const { policy } of Object.values(limits).flat()) metrics.throttled.inc({ policy }, 0)
}

function databaseGauges({ pool, databaseClock, fullDisk }: Runtime, { metrics }: Services): void {
  metrics.gauges('database_connections', 'Connections of the pool', 'state', () => ({
    used: pool.totalCount - pool.idleCount,
    idle: pool.idleCount,
  }))
  metrics.gauge(
    'database_waiting',
    'Statements that wait for a connection',
    () => pool.waitingCount,
  )
  metrics.counter(
    'database_full_disk_total',
    'Statements that failed because the disk of PostgreSQL was full',
    () => fullDisk?.failures ?? 0,
  )
  metrics.gauge(
    'clock_offset_seconds',
    'Clock of this machine minus the clock of PostgreSQL',
    () => databaseClock?.offsetSeconds ?? 0,
  )
}

function passwordGauges({ hashing }: Runtime, { metrics, bulkhead, throttle }: Services): void {
  metrics.gauge('password_checks_running', 'Password checks in progress', () => bulkhead.running)
  metrics.gauge('password_checks_waiting', 'Password checks in the queue', () => bulkhead.waiting)
  metrics.counter(
    'password_process_deaths_total',
    'Deaths of the process that checks passwords',
    () => hashing?.deaths ?? 0,
  )
  metrics.gauge('throttle_redis_away', '1 while PostgreSQL counts attempts instead of Redis', () =>
    throttle.redisAway ? 1 : 0,
  )
}

function revocationGauges({ now }: Runtime, { metrics, index, feed, unanswered }: Services): void {
  metrics.gauge('redis_trusted', '1 while Redis answers revocation checks', () =>
    index?.trusted ? 1 : 0,
  )
  metrics.gauge('feed_entries', 'Live revocations in the list for verifiers', () => feed.size)
  metrics.gauge('feed_waiting', 'Verifiers that wait for news', () => feed.waiting)
  metrics.gauge('feed_age_seconds', 'Time since the list for verifiers was read', () =>
    secondsBetween(feed.readAt, now()),
  )
  metrics.gauge(
    'unanswered_rotations_waiting',
    'Unanswered rotations that are not recorded in PostgreSQL yet',
    () => unanswered.waiting,
  )
  metrics.counter(
    'unanswered_rotations_failed_total',
    'Failures to record or look up unanswered rotations',
    () => unanswered.failures,
  )
}

function traceGauges({ tracer }: Runtime, { metrics }: Services): void {
  metrics.counter(
    'trace_spans_exported_total',
    'Spans that the collector has taken',
    () => tracer?.spans.exported ?? 0,
  )
  metrics.counter(
    'trace_spans_dropped_total',
    'Spans that were dropped because the collector was away or too slow',
    () => tracer?.spans.dropped ?? 0,
  )
}

function backgroundGauges(
  { now }: Runtime,
  { metrics, keyring, mailSender, logoutSender, janitor, refusals }: Services,
): void {
  metrics.counter(
    'log_lines_dropped_total',
    'Log lines that were dropped because their reader was too slow',
    droppedLines,
  )
  metrics.counter(
    'refusals_dropped_total',
    'Refused requests that were not recorded for signet explain',
    () => refusals.dropped,
  )
  metrics.gauges('signing_key_age_seconds', 'Time since publication, by state', 'state', () => {
    const published = keyring.current.keys.filter((key) => key.publishedAt <= now())
    return Object.fromEntries(
      published.map((key) => [keyState(key, now()), secondsBetween(key.publishedAt, now())]),
    )
  })
  metrics.gauge('mail_waiting', 'Mails neither sent nor given up', () => mailSender.backlog.waiting)
  metrics.gauge(
    'mail_oldest_seconds',
    'How long the oldest due mail has been waiting',
    () => mailSender.backlog.oldestSeconds,
  )
  metrics.gauge(
    'logout_notifications_waiting',
    'Notifications of ended sessions, neither delivered nor given up',
    () => logoutSender.backlog.waiting,
  )
  metrics.gauge(
    'logout_notifications_oldest_seconds',
    'How long the oldest of these notifications has been waiting',
    () => logoutSender.backlog.oldestSeconds,
  )
  const byTask = (name: string, help: string, read: (run: JanitorRun) => number) =>
    metrics.gauges(name, help, 'task', () =>
      Object.fromEntries(janitor.lastSeen.map((run) => [run.task, read(run)])),
    )
  byTask('janitor_last_run_age_seconds', 'Time since the janitor ran', (run) =>
    secondsBetween(run.ranAt, now()),
  )
  byTask('janitor_lag_seconds', 'How long the oldest expired row has been due', (run) =>
    run.dueSince ? secondsBetween(run.dueSince, now()) : 0,
  )
  byTask('janitor_deleted_rows', 'Expired rows deleted so far', (run) => run.rows)
}
