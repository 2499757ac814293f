import type { Outcome, Standing } from './outcome.ts'
import type { Spread } from './statistics.ts'

const formats = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
export const number = (value: number): string => formats.format(value)

/** Markdown whose columns stand below each other, to be read on a terminal too. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) =>
    Math.max(...[name, ...rows.map((row) => row[column] ?? '')].map((text) => text.length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  )
}

/** The one table: work, this server, the limit, the peers, ratios. */
export const throughputTable = (outcomes: readonly Outcome[]): string =>
  table(
    [
      'work',
      'this server, a second',
      'the limit',
      'of the limit',
      'goal',
      'peers: a second, times',
    ],
    outcomes.map(({ title, limit, goal, standings }) => {
      const [own] = standings.filter(({ role }) => role === 'signet')
      const [held] = standings.filter(({ role }) => role === 'limit')
      const peers = standings.filter(({ role }) => role === 'peer')
      return [
        title,
        own ? spread(own.perSecond) : '',
        held ? `${spread(held.perSecond)} ${limit}` : limit,
        held ? percent(held.ours) : '',
        goal,
        peers.map(peerCell).join('; '),
      ]
    }),
  )

/** Latency, and the core time of each answer by process: the basis of sizing. */
export const costTable = (outcomes: readonly Outcome[]): string =>
  table(
    [
      'work',
      'who',
      'p50 ms',
      'p99 ms',
      'µs of a core: server',
      'PostgreSQL',
      'generator',
      'cores for 1,000/s',
    ],
    outcomes.flatMap(({ title, standings }) =>
      standings
        .filter(({ p50 }) => p50 !== undefined)
        .map(({ name, p50, p99, cost }) => {
          const { server = 0, postgres = 0, generator = 0 } = cost
          const micro = (value: number) => (value > 0 ? number(value) : '')
          return [
            ...[title, name, milliseconds(p50), milliseconds(p99)],
            ...[micro(server), micro(postgres), micro(generator)],
            server > 0 ? ((server + postgres) / 1000).toFixed(2) : '',
          ]
        }),
    ),
  )

/** Not a number to rely on: some answers were refusals. */
export const failureLines = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ work, standings }) =>
    standings
      .filter(({ failures }) => failures > 0)
      .map(({ name, failures }) => `${work}: ${failures} answers of ${name} were not the expected`),
  )

const peerCell = ({ name, perSecond, ours, failures }: Standing): string =>
  `${name} ${spread(perSecond)}, ${ours.median.toFixed(1)}×${failures ? ' (failures)' : ''}`

export const spread = ({ median, lowest, highest }: Spread): string =>
  `${number(median)} (${number(lowest)}–${number(highest)})`

export const percent = ({ median, lowest, highest }: Spread): string =>
  `${share(median)} % (${share(lowest)}–${share(highest)})`

const share = (value: number): string => (value * 100).toFixed(0)

const milliseconds = (value: number | undefined): string => value?.toFixed(1) ?? ''
