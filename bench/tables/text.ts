import type { Outcome } from '../outcome.ts'
import { number, percent, spread, table } from '../table.ts'
import type { TableSize } from './sizes.ts'
import type { Tables } from './tables.ts'

/** The tables about tables. */
export function tablesText({ outcomes, sizes, deletedPerSecond }: Tables): string {
  return [
    table(['work', 'a second', 'beside', 'ratio', 'goal'], outcomes.map(row)),
    janitorLine(outcomes, deletedPerSecond),
    table(
      ['table', 'rows', 'MB with indexes', 'bytes a row', 'MB of each index', 'HOT updates'],
      sizes.map(sizeRow),
    ),
  ].join('\n\n')
}

function row({ title, limit, goal, standings }: Outcome): string[] {
  const [large, small] = [find(standings, 'signet'), find(standings, 'limit')]
  if (!large || !small) throw new Error(`${title} was not measured whole`)
  const beside = `${spread(small.perSecond)} ${limit}`
  return [title, spread(large.perSecond), beside, percent(small.ours), goal]
}

/** The longest run of the janitor, and its default interval. */
const sweep = { rows: 200_000, everySeconds: 60 }

/** The bench lets it sweep all the time; by default it rests for most of a minute. */
function janitorLine(outcomes: Tables['outcomes'], deletedPerSecond: number): string {
  const told = `The janitor swept every second here and deleted ${number(deletedPerSecond)} sessions a second.`
  const janitor = outcomes.find(({ work }) => work === 'janitor')
  const lost = 1 - (find(janitor?.standings ?? [], 'limit')?.ours.median ?? 1)
  const busy = sweep.rows / deletedPerSecond / sweep.everySeconds
  const byDefault = `By default a run deletes at most ${number(sweep.rows)}, once a minute`
  return `${told} ${byDefault}: ${(Math.max(0, lost * busy) * 100).toFixed(1)} % of what could be refreshed in that minute.`
}

const find = (standings: Outcome['standings'], role: string) =>
  standings.find((standing) => standing.role === role)

function sizeRow({ table: name, rows, heapBytes, indexBytes, bytesPerRow, hotShare }: TableSize) {
  const indexes = Object.entries(indexBytes)
  const total = heapBytes + indexes.reduce((sum, [, bytes]) => sum + bytes, 0)
  return [
    ...[`\`${name}\``, number(rows), megabytes(total), number(bytesPerRow)],
    indexes.map(([index, bytes]) => `${index} ${megabytes(bytes)}`).join(', '),
    hotShare === undefined ? '' : `${(hotShare * 100).toFixed(1)} %`,
  ]
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
