import type { AuditLog } from '../audit/audit-log.ts'
import type { ClientAssertions } from '../clients/client-assertions.ts'
import { type CleanupTask, expiredRowsTask } from '../janitor/janitor.ts'
import type { MailQueue } from '../mail/mail-queue.ts'
import type { RevocationLog } from '../revocations/revocation-log.ts'
import { endingClients } from '../sessions/client-sessions.ts'
import { pruneSessions, sweepIdleSessions } from '../sessions/expired-sessions.ts'
import { type UnansweredRotations, unansweredSeconds } from '../sessions/unanswered-rotations.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import type { UserAdministration } from '../users/administration.ts'
import { deleteUnverified, eraseDeletedUsers } from '../users/cleanup.ts'
import { fillIdentifierKeys } from '../users/identifier-keys.ts'
import type { Runtime } from './runtime.ts'
import { daySeconds } from './settings.ts'

interface Dependencies {
  readonly administration: UserAdministration
  readonly apiKeys: ApiKeys
  readonly assertions: ClientAssertions
  readonly audit: AuditLog
  readonly mailQueue: MailQueue
  readonly oneTimeTokens: OneTimeTokens
  readonly rememberSeconds: number
  readonly revocationLog: RevocationLog
  readonly throttle: Throttle
  readonly unanswered: UnansweredRotations
}

/** Mails that were sent or given up are kept for this long, to answer questions about them. */
const mailDays = 30

/** Everything the janitor deletes: expired rows, and what deleted clients and people leave behind. */
export function cleanupTasks({ config, now, log }: Runtime, services: Dependencies): CleanupTask[] {
  const { administration, apiKeys, assertions, audit, mailQueue, oneTimeTokens } = services
  const { rememberSeconds, revocationLog, throttle, unanswered } = services
  return [
    endingClients(now),
    eraseDeletedUsers(audit, now),
    expiredRowsTask({
      name: 'sessions',
      table: 'refresh_families',
      oldest: 'LEAST(min(expires_at), min(revoked_at))',
      now,
      keepSeconds: rememberSeconds,
      prune: pruneSessions,
    }),
    {
      name: 'idle_sessions',
      sweep: (trx, limit, cursor) => sweepIdleSessions(trx, now(), rememberSeconds, cursor, limit),
    },
    fillIdentifierKeys(log),
    {
      name: 'unverified_people',
      sweep: (trx) => deleteUnverified(trx, administration, now()),
    },
    expiredRowsTask({
      name: 'unanswered_rotations',
      oldest: 'min(noted_at)',
      now,
      keepSeconds: unansweredSeconds,
      prune: (before, limit, db) => unanswered.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'revocations',
      now,
      prune: (before, limit, db) => revocationLog.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'client_assertions',
      now,
      prune: (before, limit, db) => assertions.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'one_time_tokens',
      now,
      prune: (before, limit, db) => oneTimeTokens.prune(before, limit, db),
    }),
    {
      name: 'api_keys_of_ended_clients',
      sweep: (trx, limit) => apiKeys.pruneOfEndedClients(limit, trx),
    },
    expiredRowsTask({
      name: 'api_keys',
      now,
      prune: (before, limit, db) => apiKeys.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'throttle',
      oldest: 'to_timestamp(min(expire) / 1000.0)',
      now,
      prune: (before, limit, db) => throttle.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'outgoing_mail',
      oldest: 'min(created_at)',
      now,
      keepSeconds: mailDays * daySeconds,
      prune: (before, limit, db) => mailQueue.prune(before, limit, db),
    }),
    expiredRowsTask({
      name: 'audit_events',
      oldest: 'min(at)',
      now,
      keepSeconds: config.AUDIT_RETENTION_DAYS * daySeconds,
      prune: (before, limit, db) => audit.prune(before, limit, db),
    }),
  ]
}
