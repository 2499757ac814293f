import { secondsBetween } from '../clock.ts'
import type { JanitorRun } from '../janitor/janitor.ts'
import { keyState } from '../keyring/signing-key.ts'
import { droppedLines } from '../telemetry/log.ts'
import type { Runtime, Services } from './services.ts'

/** What Prometheus may ask and what is only looked up when it does. */
export function registerGauges(
  { pool, now, databaseClock, fullDisk, hashing }: Runtime,
  services: Services,
): void {
  const { metrics, keyring, bulkhead, index, janitor } = services
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
  metrics.gauge('password_checks_running', 'Password checks under way', () => bulkhead.running)
  metrics.gauge('password_checks_waiting', 'Password checks in the queue', () => bulkhead.waiting)
  metrics.counter(
    'password_process_deaths_total',
    'Deaths of the process that checks passwords',
    () => hashing?.deaths ?? 0,
  )
  metrics.counter(
    'log_lines_dropped_total',
    'Lines of the log that were dropped because nobody read those before',
    droppedLines,
  )
  metrics.gauge('redis_trusted', '1 while Redis answers revocation checks', () =>
    index?.trusted ? 1 : 0,
  )
  const { feed } = services
  metrics.gauge('feed_entries', 'Live revocations in the list for verifiers', () => feed.size)
  metrics.gauge('feed_waiting', 'Verifiers that wait for news', () => feed.waiting)
  metrics.gauge('feed_age_seconds', 'Time since the list for verifiers was read', () =>
    secondsBetween(feed.readAt, now()),
  )
  metrics.gauges('signing_key_age_seconds', 'Time since publication, by state', 'state', () => {
    const published = keyring.current.keys.filter((key) => key.publishedAt <= now())
    return Object.fromEntries(
      published.map((key) => [keyState(key, now()), secondsBetween(key.publishedAt, now())]),
    )
  })
  const { throttle, mailSender } = services
  metrics.gauge('throttle_redis_away', '1 while PostgreSQL counts attempts instead of Redis', () =>
    throttle.redisAway ? 1 : 0,
  )
  metrics.gauge('mail_waiting', 'Mails neither sent nor given up', () => mailSender.backlog.waiting)
  metrics.gauge(
    'mail_oldest_seconds',
    'How long the oldest due mail has been waiting',
    () => mailSender.backlog.oldestSeconds,
  )
  const { unanswered } = services
  metrics.gauge(
    'unanswered_rotations_waiting',
    'Rotations that were not answered and are not noted in PostgreSQL yet',
    () => unanswered.waiting,
  )
  metrics.counter(
    'unanswered_rotations_failed_total',
    'Failures to note rotations that were not answered, or to look one up',
    () => unanswered.failures,
  )
  const byTask = (name: string, help: string, read: (run: JanitorRun) => number) =>
    metrics.gauges(name, help, 'task', () =>
      Object.fromEntries(janitor.lastSeen.map((run) => [run.task, read(run)])),
    )
  byTask('janitor_last_run_age_seconds', 'Time since expired rows were looked for', (run) =>
    secondsBetween(run.ranAt, now()),
  )
  byTask('janitor_lag_seconds', 'For how long the oldest expired row has been due', (run) =>
    run.dueSince ? secondsBetween(run.dueSince, now()) : 0,
  )
  byTask('janitor_deleted_rows', 'Expired rows deleted since the beginning', (run) => run.rows)
}
