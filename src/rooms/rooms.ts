import { later } from '../clock.ts'
import { type Chore, Janitor, pruning } from '../janitor/janitor.ts'
import { fillIdentifierKeys } from '../users/identifier-keys.ts'
import { deleteUnverified } from '../users/unverified.ts'
import { createPeopleRooms } from './people-rooms.ts'
import { createTokenRooms } from './token-rooms.ts'
import { daySeconds, type World } from './world.ts'

export type { World } from './world.ts'

export type Rooms = Awaited<ReturnType<typeof createRooms>>

/** Builds every room once, from the ground up. Routes are mounted on them by routes.ts, commands by cli/. */
export async function createRooms(world: World) {
  const tokens = await createTokenRooms(world)
  const people = await createPeopleRooms(world, tokens)
  const chores = choresOf(world, { ...tokens, ...people })
  const janitor = new Janitor({ db: world.db, now: world.now, chores })
  return { ...tokens, ...people, janitor }
}

type Base = Awaited<ReturnType<typeof createTokenRooms>> &
  Awaited<ReturnType<typeof createPeopleRooms>>

/** A mail that was sent, or given up, is kept for so long: somebody may ask. */
const mailDays = 30

/** What expires, and when it may go. */
function choresOf({ config, now }: World, rooms: Base): Chore[] {
  const { families, revocationLog, assertions, audit, throttle } = rooms
  const { mailQueue, oneTimeTokens, apiKeys } = rooms
  const daysAgo = (days: number) => later(now(), -days * daySeconds)
  return [
    { name: 'sessions', sweep: (trx, limit, cursor) => families.sweep(trx, cursor, limit) },
    { name: 'identifier_keys', sweep: (trx, _, cursor) => fillIdentifierKeys(trx, cursor) },
    {
      name: 'unverified_people',
      sweep: (trx) => deleteUnverified(trx, rooms.administration, now()),
    },
    pruning('revocations', (trx, limit) => revocationLog.prune(now(), limit, trx)),
    pruning('client_assertions', (trx, limit) => assertions.prune(now(), limit, trx)),
    pruning('one_time_tokens', (trx, limit) => oneTimeTokens.prune(now(), limit, trx)),
    pruning('api_keys', (trx, limit) => apiKeys.prune(now(), limit, trx)),
    pruning('throttle', (trx, limit) => throttle.prune(now(), limit, trx)),
    pruning('outgoing_mail', (trx, limit) => mailQueue.prune(daysAgo(mailDays), limit, trx)),
    pruning('audit_events', (trx, limit) =>
      audit.prune(daysAgo(config.AUDIT_RETENTION_DAYS), limit, trx),
    ),
  ]
}
