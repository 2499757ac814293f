import type { Knex } from 'knex'
import { arePartitioned, auditPartitions, interruptedUntil } from '../../audit/partitions.ts'
import { later } from '../../clock.ts'
import { moment } from '../output.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

const check = 'audit trail'
const soonSeconds = 60 * 86_400

/** Checks that events of the coming months have a place (ADR 51). */
export async function checkAudit(db: Knex, now: Date): Promise<Finding[]> {
  if (!(await arePartitioned(db))) {
    const until = await interruptedUntil(db)
    if (!until) return []
    const message = `signet audit partition was interrupted: no event is accepted from ${moment(until)} on`
    return [failed(check, message, 'Run it again.')]
  }
  const last = (await auditPartitions(db)).filter(({ until }) => until).at(-1)?.until
  const message = `in months, until ${moment(last ?? now)}`
  return !last || last < later(now, soonSeconds)
    ? [warning(check, message, 'Run every day: signet audit maintain')]
    : [ok(check, message)]
}
