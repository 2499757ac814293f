import { type Chore, pruning } from '../janitor/janitor.ts'
import { endingClients } from '../sessions/client-sessions.ts'
import { pruneSessions, sweepIdleSessions } from '../sessions/expired-sessions.ts'
import { unansweredSeconds } from '../sessions/unanswered-rotations.ts'
import { erasingUsers } from '../users/erasure.ts'
import { fillingIdentifierKeys } from '../users/identifier-keys.ts'
import { deleteUnverified } from '../users/unverified.ts'
import type { createPeopleRooms } from './people-services.ts'
import { daySeconds, type World } from './runtime.ts'
import type { TokenRooms } from './token-services.ts'

type Rooms = TokenRooms & Awaited<ReturnType<typeof createPeopleRooms>>

/** A mail that was sent, or given up, is kept for so long: somebody may ask. */
const mailDays = 30

/** What expires and when it may go, and what is left of clients and people that are gone. */
export function choresOf({ config, now, log }: World, rooms: Rooms): Chore[] {
  const { unanswered, revocationLog, assertions, audit, throttle } = rooms
  const { mailQueue, oneTimeTokens, apiKeys, rememberSeconds } = rooms
  return [
    endingClients(now),
    erasingUsers(audit, now),
    pruning({
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
      sweep: (trx) => deleteUnverified(trx, rooms.administration, now()),
    },
    pruning({
      ...{ name: 'unanswered_rotations', now, oldest: 'min(noted_at)' },
      keepSeconds: unansweredSeconds,
      prune: unanswered.prune.bind(unanswered),
    }),
    pruning({ name: 'revocations', now, prune: revocationLog.prune.bind(revocationLog) }),
    pruning({ name: 'client_assertions', now, prune: assertions.prune.bind(assertions) }),
    pruning({ name: 'one_time_tokens', now, prune: oneTimeTokens.prune.bind(oneTimeTokens) }),
    {
      name: 'api_keys_of_ended_clients',
      sweep: (trx, limit) => apiKeys.pruneOfEndedClients(limit, trx),
    },
    pruning({ name: 'api_keys', now, prune: apiKeys.prune.bind(apiKeys) }),
    pruning({
      ...{ name: 'throttle', now, oldest: 'to_timestamp(min(expire) / 1000.0)' },
      prune: throttle.prune.bind(throttle),
    }),
    pruning({
      ...{ name: 'outgoing_mail', now, oldest: 'min(created_at)' },
      keepSeconds: mailDays * daySeconds,
      prune: mailQueue.prune.bind(mailQueue),
    }),
    pruning({
      ...{ name: 'audit_events', now, oldest: 'min(at)' },
      keepSeconds: config.AUDIT_RETENTION_DAYS * daySeconds,
      prune: audit.prune.bind(audit),
    }),
  ]
}
