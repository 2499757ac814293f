import { type AuditLog, oldEvents } from '../audit/audit-log.ts'
import { arePartitioned } from '../audit/partitions.ts'
import { deleteSurplusRefusals, oldRefusals } from '../audit/refusal-record.ts'
import { finishedLogouts, type LogoutDeliveries } from '../backchannel/logout-deliveries.ts'
import { expiredAssertions } from '../clients/client-assertions.ts'
import { orphanedConsents } from '../consents/orphaned-consents.ts'
import { type CleanupTask, expiredRowsTask } from '../janitor/janitor.ts'
import { finishedMail } from '../mail/mail-queue.ts'
import { expiredRevocations } from '../revocations/revocation-log.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { expiredCodes } from '../sessions/authorization-codes.ts'
import { endingClients } from '../sessions/ended-sessions.ts'
import { endExpiredBrowsers, endedBrowserSessions } from '../sessions/expired-browsers.ts'
import { expiredSessions, idleSessions } from '../sessions/expired-sessions.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import { oldUnanswered, unansweredSeconds } from '../sessions/unanswered-rotations.ts'
import { endedCounters } from '../throttle/throttle.ts'
import { type ApiKeys, expiredApiKeys } from '../tokens/api-keys.ts'
import { expiredOneTimeTokens } from '../tokens/one-time-tokens.ts'
import type { UserAdministration } from '../users/administration.ts'
import { deleteUnverified, eraseDeletedUsers } from '../users/cleanup.ts'
import { fillIdentifierKeys } from '../users/identifier-keys.ts'
import type { Runtime } from './runtime.ts'
import { daySeconds } from './settings.ts'

interface Dependencies {
  readonly administration: UserAdministration
  readonly apiKeys: ApiKeys
  readonly audit: AuditLog
  readonly families: RefreshFamilies
  readonly logoutDeliveries: LogoutDeliveries
  readonly revocations: Revocations
  readonly rememberSeconds: number
}

/** Mails that were sent or given up are kept for this long, to answer questions about them. */
const mailDays = 30
/** The same for notifications of clients. */
const logoutDays = 30
/** A browser that comes back within a day is told why its session has ended. */
const endedBrowserDays = 1

/** Partitions of the audit trail are dropped by `signet audit maintain` (ADR 51). */
const unlessPartitioned = (task: CleanupTask): CleanupTask => ({
  ...task,
  dueSince: async (db) => ((await arePartitioned(db)) ? null : (task.dueSince?.(db) ?? null)),
  sweep: async (trx, limit, cursor) =>
    (await arePartitioned(trx)) ? { rows: 0, done: true } : task.sweep(trx, limit, cursor),
})

/** Everything the janitor deletes: expired rows, and what deleted clients and people leave behind. */
export function cleanupTasks(
  { config, now, log }: Runtime,
  {
    administration,
    apiKeys,
    audit,
    families,
    logoutDeliveries,
    revocations,
    rememberSeconds,
  }: Dependencies,
): CleanupTask[] {
  return [
    endingClients(now),
    eraseDeletedUsers(audit, now),
    // Before sessions are deleted, so that clients are notified of those that expire with the browser.
    endExpiredBrowsers({ families, revocations, now }),
    expiredRowsTask({
      rows: endedBrowserSessions,
      now,
      keepSeconds: endedBrowserDays * daySeconds,
    }),
    expiredRowsTask({ rows: expiredCodes, now }),
    expiredSessions({ logoutDeliveries, now, keepSeconds: rememberSeconds }),
    idleSessions({ logoutDeliveries, now, keepSeconds: rememberSeconds }),
    orphanedConsents,
    fillIdentifierKeys(log),
    {
      name: 'unverified_people',
      sweep: (trx) => deleteUnverified(trx, administration, now()),
    },
    expiredRowsTask({ rows: oldUnanswered, now, keepSeconds: unansweredSeconds }),
    expiredRowsTask({ rows: expiredRevocations, now }),
    expiredRowsTask({ rows: expiredAssertions, now }),
    expiredRowsTask({ rows: expiredOneTimeTokens, now }),
    {
      name: 'api_keys_of_ended_clients',
      sweep: (trx, limit) => apiKeys.pruneOfEndedClients(limit, trx),
    },
    expiredRowsTask({ rows: expiredApiKeys, now }),
    expiredRowsTask({ rows: endedCounters, now }),
    expiredRowsTask({ rows: oldRefusals, now, keepSeconds: daySeconds }),
    {
      name: 'surplus_refusals',
      needsClock: false,
      sweep: (trx, limit) => deleteSurplusRefusals(trx, limit),
    },
    expiredRowsTask({ rows: finishedMail, now, keepSeconds: mailDays * daySeconds }),
    expiredRowsTask({ rows: finishedLogouts, now, keepSeconds: logoutDays * daySeconds }),
    unlessPartitioned(
      expiredRowsTask({
        rows: oldEvents,
        now,
        keepSeconds: config.AUDIT_RETENTION_DAYS * daySeconds,
      }),
    ),
  ]
}
