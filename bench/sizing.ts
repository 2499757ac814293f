import type { Outcome } from './outcome.ts'
import type { StartUp } from './start-up.ts'
import { number, table } from './table.ts'
import type { Tables } from './tables/tables.ts'

/** The parts of a report that sizes follow from. */
interface Measured {
  readonly outcomes: readonly Outcome[]
  readonly startUp: StartUp | undefined
  readonly tables: Tables | undefined
}

/** Sizes to order, from the measurements. */
export function sizingTable({ outcomes, startUp, tables }: Measured): string {
  const rows = [
    coresRow(outcomes, 'password', '1,000 sign-ins a second'),
    coresRow(outcomes, 'refresh_token', '1,000 refreshes a second'),
    coresRow(outcomes, 'client_credentials', '1,000 `client_credentials` tokens a second'),
    bytesRow(tables, 'refresh_families', 'a session'),
    bytesRow(tables, 'revocations', 'a revocation, until the last token it concerns has expired'),
    bytesRow(tables, 'audit_events', 'an audit event, such as a sign-in'),
    startUp?.idleMebibytes && [
      'a process at rest',
      `${number(startUp.idleMebibytes.median)} MiB of memory`,
    ],
  ]
  return table(
    ['for', 'it takes'],
    rows.filter((row) => row !== undefined),
  )
}

function coresRow(outcomes: readonly Outcome[], work: string, what: string) {
  const { standings = [] } = outcomes.find((outcome) => outcome.work === work) ?? {}
  const cost = standings.find(({ role }) => role === 'signet')?.cost
  if (!cost?.server) return undefined
  const { server, postgres = 0 } = cost
  const both = `${(server / 1000).toFixed(2)} of the server, ${(postgres / 1000).toFixed(2)} of PostgreSQL`
  return [what, `${((server + postgres) / 1000).toFixed(2)} cores: ${both}`]
}

function bytesRow(tables: Tables | undefined, name: string, what: string) {
  const size = tables?.sizes.find((one) => one.table === name)
  return size && [what, `${number(size.bytesPerRow)} bytes of disk, indexes included`]
}
