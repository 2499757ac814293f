import { type CleanupTask, expiredRowsTask } from '../janitor/janitor.ts'
import { endingClients } from '../sessions/client-sessions.ts'
import { pruneSessions, sweepIdleSessions } from '../sessions/expired-sessions.ts'
import { unansweredSeconds } from '../sessions/unanswered-rotations.ts'
import { erasingUsers } from '../users/erasure.ts'
import { fillingIdentifierKeys } from '../users/identifier-keys.ts'
import { deleteUnverified } from '../users/unverified.ts'
import type { createPeopleServices } from './people-services.ts'
import { daySeconds, type Runtime } from './runtime.ts'
import type { TokenServices } from './token-services.ts'

type Services = TokenServices & Awaited<ReturnType<typeof createPeopleServices>>

/** A mail that was sent, or given up, is kept for so long: somebody may ask. */
const mailDays = 30

/** What expires and when it may go, and what is left of clients and people that are gone. */
export function cleanupTasks({ config, now, log }: Runtime, services: Services): CleanupTask[] {
  const { unanswered, revocationLog, assertions, audit, throttle } = services
  const { mailQueue, oneTimeTokens, apiKeys, rememberSeconds } = services
  return [
    endingClients(now),
    erasingUsers(audit, now),
    expiredRowsTask({
      ...{ name: 'sessions', table: 'refresh_families', now, keepSeconds: rememberSeconds },
      oldest: 'LEAST(min(expires_at), min(revoked_at))',
      prune: pruneSessions,
    }),
    {
      name: 'idle_sessions',
      sweep: (trx, limit, cursor) => sweepIdleSessions(trx, now(), rememberSeconds, cursor, limit),
    },
    fillingIdentifierKeys(log),
    {
      name: 'unverified_people',
      sweep: (trx) => deleteUnverified(trx, services.administration, now()),
    },
    expiredRowsTask({
      ...{ name: 'unanswered_rotations', now, oldest: 'min(noted_at)' },
      keepSeconds: unansweredSeconds,
      prune: unanswered.prune.bind(unanswered),
    }),
    expiredRowsTask({ name: 'revocations', now, prune: revocationLog.prune.bind(revocationLog) }),
    expiredRowsTask({ name: 'client_assertions', now, prune: assertions.prune.bind(assertions) }),
    expiredRowsTask({
      name: 'one_time_tokens',
      now,
      prune: oneTimeTokens.prune.bind(oneTimeTokens),
    }),
    {
      name: 'api_keys_of_ended_clients',
      sweep: (trx, limit) => apiKeys.pruneOfEndedClients(limit, trx),
    },
    expiredRowsTask({ name: 'api_keys', now, prune: apiKeys.prune.bind(apiKeys) }),
    expiredRowsTask({
      ...{ name: 'throttle', now, oldest: 'to_timestamp(min(expire) / 1000.0)' },
      prune: throttle.prune.bind(throttle),
    }),
    expiredRowsTask({
      ...{ name: 'outgoing_mail', now, oldest: 'min(created_at)' },
      keepSeconds: mailDays * daySeconds,
      prune: mailQueue.prune.bind(mailQueue),
    }),
    expiredRowsTask({
      ...{ name: 'audit_events', now, oldest: 'min(at)' },
      keepSeconds: config.AUDIT_RETENTION_DAYS * daySeconds,
      prune: audit.prune.bind(audit),
    }),
  ]
}
