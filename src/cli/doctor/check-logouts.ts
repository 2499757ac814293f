import type { Knex } from 'knex'
import { LogoutDeliveries } from '../../backchannel/logout-deliveries.ts'
import { later, type Now } from '../../clock.ts'
import { type Finding, ok, warning } from './finding.ts'

const daySeconds = 86_400
/** A client that restarts is away for less. */
const longSeconds = 3600

const advice = 'See docs/operations.md, "Logout notifications are stuck".'

/** Checks that clients learn about sessions that have ended. */
export async function checkLogouts(db: Knex, now: Now): Promise<Finding[]> {
  const deliveries = new LogoutDeliveries(db, now)
  const { waiting, oldestSeconds } = await deliveries.backlog()
  const givenUp = await deliveries.givenUpSince(later(now(), -daySeconds))
  const findings = [
    ...(oldestSeconds > longSeconds ? [late(waiting, oldestSeconds)] : []),
    ...(givenUp.length > 0 ? [lost(givenUp)] : []),
  ]
  return findings.length > 0 ? findings : [ok('sign-out', 'clients are notified of ended sessions')]
}

const late = (waiting: number, oldestSeconds: number): Finding => {
  const minutes = Math.round(oldestSeconds / 60)
  return warning(
    'sign-out',
    `${waiting} notification(s) of ended sessions wait for their client, the oldest for ${minutes} minutes`,
    advice,
  )
}

const lost = (givenUp: readonly { clientId: string; count: number }[]): Finding => {
  const clients = givenUp.map(({ clientId, count }) => `${clientId} (${count})`).join(', ')
  return warning('sign-out', `notifications were given up within a day: ${clients}`, advice)
}
