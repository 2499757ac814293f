import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type DescribedMetric, describedMetrics } from './metrics-table.ts'

/**
 * Generates deploy/grafana/signet.json from the metrics of docs/metrics.md and the layout below:
 * `npx tsx test/support/docs/dashboard.ts`.
 */
interface Panel {
  readonly title: string
  readonly unit: 'short' | 's' | 'reqps' | 'ops'
  /** Without the prefix `signet_`. */
  readonly metrics: readonly string[]
}

const panel = (title: string, unit: Panel['unit'], ...metrics: string[]): Panel => ({
  title,
  unit,
  metrics,
})

const rows: Readonly<Record<string, readonly Panel[]>> = {
  Requests: [
    panel('Answers', 'reqps', 'http_requests_total'),
    panel('Token requests', 'reqps', 'token_requests_total'),
    panel('Time to answer a token request', 's', 'token_request_seconds'),
    panel('Introspections', 'reqps', 'introspections_total'),
  ],
  Sessions: [
    panel('Refreshes', 'ops', 'refreshes_total'),
    panel('Rotations that wait to be recorded', 'short', 'unanswered_rotations_waiting'),
    panel('Failures to record them', 'ops', 'unanswered_rotations_failed_total'),
    panel('Refused with 429', 'ops', 'throttled_total'),
    panel('Refusals that were not recorded', 'ops', 'refusals_dropped_total'),
  ],
  Passwords: [
    panel('Password checks', 'short', 'password_checks_running', 'password_checks_waiting'),
    panel('Deaths of the hashing process', 'ops', 'password_process_deaths_total'),
    panel('Passwords looked up among breached ones', 'ops', 'breached_password_checks_total'),
  ],
  Revocations: [
    panel('Live revocations', 'short', 'feed_entries'),
    panel('Verifiers that wait', 'short', 'feed_waiting'),
    panel('Age of the list', 's', 'feed_age_seconds'),
    panel('Lists that were signed', 'ops', 'feed_documents_total'),
  ],
  'Keys and clocks': [
    panel('Age of signing keys', 's', 'signing_key_age_seconds'),
    panel('Clock offset', 's', 'clock_offset_seconds'),
  ],
  Stores: [
    panel('Connections to PostgreSQL', 'short', 'database_connections', 'database_waiting'),
    panel('Statements that met a full disk', 'ops', 'database_full_disk_total'),
    panel(
      'Redis: trusted, and counting without it',
      'short',
      'redis_trusted',
      'throttle_redis_away',
    ),
  ],
  'Mail and logout notifications': [
    panel('Mails', 'ops', 'mails_total'),
    panel('Waiting', 'short', 'mail_waiting', 'logout_notifications_waiting'),
    panel('Oldest', 's', 'mail_oldest_seconds', 'logout_notifications_oldest_seconds'),
    panel('Logout notifications', 'ops', 'logout_notifications_total'),
  ],
  'Janitor and processes': [
    panel('Time since the last run', 's', 'janitor_last_run_age_seconds'),
    panel('Lag', 's', 'janitor_lag_seconds'),
    panel('Deleted rows', 'short', 'janitor_deleted_rows'),
    panel('Workers', 'short', 'workers', 'workers_replaced', 'workers_hung'),
    panel('Log lines dropped', 'ops', 'log_lines_dropped_total'),
    panel('Spans of traces', 'ops', 'trace_spans_exported_total', 'trace_spans_dropped_total'),
    panel('X-Forwarded-For ignored', 'ops', 'forwarded_for_ignored_total'),
  ],
}

const source = { type: 'prometheus', uid: '$datasource' }
const selector = '{job="$job", instance=~"$instance"}'

interface Target {
  readonly expr: string
  readonly legendFormat: string
}

/** Sums counters over instances; shows gauges of each instance, or the one of all for tables. */
function targetsOf({ name, type, labels }: DescribedMetric, isAlone: boolean): Target[] {
  const by = labels.join(', ')
  const shown = labels.map((label) => `{{${label}}}`).join(' ')
  const short = name.replace('signet_', '').replaceAll('_', ' ')
  if (type === 'histogram') {
    return [0.5, 0.99].map((quantile) => ({
      expr: `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(${name}_bucket${selector}[$__rate_interval])))`,
      legendFormat: `${shown} p${quantile * 100}`,
    }))
  }
  if (type === 'counter') {
    const sum = labels.length > 0 ? `sum by (${by})` : 'sum by (instance)'
    const legend = shown || '{{instance}}'
    return [
      {
        expr: `${sum} (rate(${name}${selector}[$__rate_interval]))`,
        legendFormat: isAlone ? legend : `${short} ${legend}`,
      },
    ]
  }
  const legendFormat = `${short} ${shown} {{instance}}`.replace(/ +/g, ' ')
  return [
    { expr: `max by (${['instance', ...labels].join(', ')}) (${name}${selector})`, legendFormat },
  ]
}

/** @throws Error that names a metric without a panel, or a panel without a metric */
export function dashboard(page: string): string {
  const metrics = new Map(describedMetrics(page).map((metric) => [metric.name, metric]))
  const placed = Object.values(rows).flatMap((row) => row.flatMap(({ metrics: names }) => names))
  const missing = [...metrics.keys()].filter(
    (name) => !placed.includes(name.replace('signet_', '')),
  )
  if (missing.length > 0) throw new Error(`no panel in the dashboard shows ${missing.join(', ')}`)
  const panels: object[] = []
  let y = 0
  for (const [title, row] of Object.entries(rows)) {
    const id = () => panels.length + 1
    panels.push({
      id: id(),
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    })
    y += 1
    for (const [at, one] of row.entries()) {
      const gridPos = { x: (at % 3) * 8, y: y + Math.floor(at / 3) * 8, w: 8, h: 8 }
      panels.push(timeSeries(id(), one, gridPos, metrics))
    }
    y += Math.ceil(row.length / 3) * 8
  }
  return `${JSON.stringify({ ...frame, panels }, undefined, 2)}\n`
}

function timeSeries(
  id: number,
  { title, unit, metrics: names }: Panel,
  gridPos: object,
  metrics: ReadonlyMap<string, DescribedMetric>,
): object {
  const shown = names.map((name) => {
    const metric = metrics.get(`signet_${name}`)
    if (!metric) throw new Error(`docs/metrics.md has no signet_${name}, which the dashboard shows`)
    return metric
  })
  const targets = shown
    .flatMap((metric) => targetsOf(metric, shown.length === 1))
    .map((target, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: source,
      ...target,
    }))
  return {
    id,
    type: 'timeseries',
    title,
    description: shown.map(({ name, meaning }) => `${name}: ${meaning}`).join('\n\n'),
    datasource: source,
    gridPos,
    fieldConfig: { defaults: { unit, min: unit === 'short' ? 0 : null }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets,
  }
}

const variable = (name: string, label: string, query: string, multi: boolean) => ({
  name,
  label,
  type: 'query',
  datasource: source,
  query: { query, refId: name },
  refresh: 2,
  multi,
  includeAll: multi,
  ...(multi && { allValue: '.*', current: { text: 'All', value: '$__all' } }),
})

const frame = {
  uid: 'signet',
  title: 'Signet',
  tags: ['signet'],
  schemaVersion: 39,
  editable: true,
  graphTooltip: 1,
  refresh: '30s',
  time: { from: 'now-6h', to: 'now' },
  templating: {
    list: [
      { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
      variable('job', 'Job', 'label_values(signet_http_requests_total, job)', false),
      variable(
        'instance',
        'Instance',
        'label_values(signet_http_requests_total{job="$job"}, instance)',
        true,
      ),
    ],
  },
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync('deploy/grafana/signet.json', dashboard(readFileSync('docs/metrics.md', 'utf8')))
}
