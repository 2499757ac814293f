import { readFileSync } from 'node:fs'
import test from 'ava'
import { parse } from 'yaml'
import { describedAlerts } from '../support/docs/metrics-table.ts'
import { promtool } from './promtool.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook_url: string }
}

const file = readFileSync('deploy/prometheus/signet.rules.yml', 'utf8')
const rules: readonly Rule[] = parse(file).groups.flatMap((group: { rules: Rule[] }) => group.rules)

test('deploy/prometheus → promtool accepts the rules and the configuration', async (t) => {
  const configuration = readFileSync('deploy/prometheus/prometheus.yml', 'utf8')
  const files = { 'signet.rules.yml': file, 'prometheus.yml': configuration }
  const { status, said } = await promtool(t, files, ['check', 'config', 'prometheus.yml'])
  t.is(status, 0, said)
  t.regex(said, new RegExp(`SUCCESS: ${rules.length} rules found`))
})

test('the alerts are those of docs/metrics.md', (t) => {
  const described = describedAlerts(readFileSync('docs/metrics.md', 'utf8'))
  const real = rules.map((rule) => ({ expr: rule.expr, for: rule.for ?? '' }))
  const sorted = (alerts: readonly { expr: string; for: string }[]) =>
    alerts.map((one) => `${one.expr} for ${one.for}`).sort()
  t.deepEqual(sorted(real), sorted(described))
})

test('every alert → a severity, a summary and a chapter of the runbook that exists', (t) => {
  const runbook = readFileSync('docs/operations.md', 'utf8')
  const anchors = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
  t.is(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, labels, annotations } of rules) {
    t.regex(alert, /^Signet[A-Z]\w+$/)
    t.true(['page', 'ticket'].includes(labels.severity), alert)
    t.regex(annotations.summary, /\S{4,}/)
    const [page, anchor = ''] = annotations.runbook_url.split('#')
    t.is(page, 'REPLACE_DOCS/operations.md')
    t.true(anchors.includes(anchor), `${alert}: ${anchor}`)
  }
})

/** Two hours of a healthy instance, a sample a minute. */
const healthy: Readonly<Record<string, string>> = {
  'up{job="signet"}': '1x180',
  'signet_http_requests_total{route="/oauth/token",status="200"}': '0+50x180',
  'signet_http_requests_total{route="/oauth/token",status="503"}': '3x180',
  'signet_refreshes_total{outcome="rotated"}': '0+50x180',
  'signet_refreshes_total{outcome="reused"}': '0x60 1x120',
  'signet_refreshes_total{outcome="ahead"}': '0x180',
  signet_unanswered_rotations_waiting: '0x30 2 0x150',
  signet_clock_offset_seconds: '0.1x180',
  signet_database_full_disk_total: '0x180',
  signet_database_waiting: '0x40 3 0x150',
  signet_password_checks_waiting: '0x40 30 0x150',
  signet_password_process_deaths_total: '0x180',
  signet_mail_oldest_seconds: '4x180',
  'signet_mails_total{template="verify_email",outcome="given_up"}': '0x180',
  signet_logout_notifications_oldest_seconds: '30x180',
  'signet_logout_notifications_total{outcome="given_up"}': '0x180',
  'signet_throttled_total{policy="sign-in-address"}': '0+2x180',
  'signet_throttled_total{policy="client-authentication-address"}': '0x180',
  signet_throttle_redis_away: '0x180',
  'signet_signing_key_age_seconds{state="active"}': '2500000+60x180',
  'signet_signing_key_age_seconds{state="upcoming"}': '90000+60x180',
  signet_feed_age_seconds: '0.5x180',
  signet_log_lines_dropped_total: '0x180',
  signet_trace_spans_dropped_total: '0x180',
  signet_workers_hung: '0x180',
  signet_redis_trusted: '1x60 0 1x120',
  'signet_janitor_lag_seconds{task="mails"}': '60x180',
  'signet_janitor_lag_seconds{task="idle_sessions"}': '30000x180',
  'signet_janitor_last_run_age_seconds{task="mails",instance="a"}': '30x180',
  'signet_janitor_last_run_age_seconds{task="mails",instance="b"}': '9000x180',
}

/** For each alert a series that takes the place of the healthy one; `undefined` removes it. */
const ill: Readonly<Record<string, readonly [series: string, values: string | undefined]>> = {
  SignetInstanceDown: ['up{job="signet"}', '1x100 0x80'],
  SignetServerErrors: [
    'signet_http_requests_total{route="/oauth/token",status="503"}',
    '3x100 4+1x80',
  ],
  SignetRefreshTokensReused: ['signet_refreshes_total{outcome="reused"}', '0x100 0+1x80'],
  SignetRotationsNotRecorded: ['signet_unanswered_rotations_waiting', '0x100 7x80'],
  SignetClockOffset: ['signet_clock_offset_seconds', '0x100 -3x80'],
  // The first event of a counter that is there from the start.
  SignetDatabaseLostCommits: ['signet_refreshes_total{outcome="ahead"}', '0x150 1x30'],
  SignetDatabaseDiskFull: ['signet_database_full_disk_total', '0x178 1x2'],
  SignetDatabaseWaiting: ['signet_database_waiting', '0x100 1x80'],
  SignetPasswordChecksWaiting: ['signet_password_checks_waiting', '0x100 11x80'],
  SignetPasswordProcessDied: ['signet_password_process_deaths_total', '0x150 1x30'],
  SignetMailStuck: ['signet_mail_oldest_seconds', '0+60x180'],
  SignetMailGivenUp: [
    'signet_mails_total{template="verify_email",outcome="given_up"}',
    '0x100 1x80',
  ],
  SignetLogoutNotificationsStuck: ['signet_logout_notifications_oldest_seconds', '0+60x180'],
  SignetLogoutNotificationsGivenUp: [
    'signet_logout_notifications_total{outcome="given_up"}',
    '0x100 1x80',
  ],
  SignetPasswordGuessing: ['signet_throttled_total{policy="sign-in-address"}', '0+20x180'],
  SignetClientSecretsRefused: [
    'signet_throttled_total{policy="client-authentication-address"}',
    '0x175 1x5',
  ],
  SignetThrottleWithoutRedis: ['signet_throttle_redis_away', '0x100 1x80'],
  SignetSigningKeyOld: ['signet_signing_key_age_seconds{state="active"}', '5616000+60x180'],
  SignetNoSuccessorKey: ['signet_signing_key_age_seconds{state="upcoming"}', undefined],
  SignetRevocationFeedLate: ['signet_feed_age_seconds', '0.5x100 31x80'],
  SignetLogLinesDropped: ['signet_log_lines_dropped_total', '0x175 9x5'],
  SignetTracesDropped: ['signet_trace_spans_dropped_total', '0x175 9x5'],
  SignetWorkerHung: ['signet_workers_hung', '0x150 1x30'],
  SignetRedisNotTrusted: ['signet_redis_trusted', '1x100 0x80'],
  SignetJanitorLate: ['signet_janitor_lag_seconds{task="mails"}', '0+60x180'],
  SignetIdleSessionsLate: ['signet_janitor_lag_seconds{task="idle_sessions"}', '172000+60x180'],
  SignetJanitorNotRunning: [
    'signet_janitor_last_run_age_seconds{task="mails",instance="a"}',
    '0+60x180',
  ],
}

type Fault = (typeof ill)[string]

const series = (faults: readonly Fault[]) => {
  const changed = new Map(faults)
  return Object.entries(healthy)
    .map(([name, values]) => ({
      series: name,
      values: changed.has(name) ? changed.get(name) : values,
    }))
    .filter(({ values }) => values !== undefined)
}

const firing = 'count by (alertname) (ALERTS{alertstate="firing"})'

/** These faults at once → exactly these alerts. */
const scene = (alerts: readonly string[]) => ({
  interval: '1m',
  input_series: series(alerts.map((alert) => ill[alert] as Fault)),
  promql_expr_test: [
    {
      expr: firing,
      eval_time: '179m',
      exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
    },
  ],
})

test('a healthy instance → no alert; each fault → its own alert and no other', async (t) => {
  const alerts = Object.keys(ill)
  t.deepEqual(alerts.toSorted(), rules.map(({ alert }) => alert).sort())
  const wrong = Object.values(ill).filter(([name]) => !(name in healthy))
  t.deepEqual(wrong, [])
  // Half of them at a time, so that an alert that fires for the fault of another is noticed.
  const halves = [0, 1].map((half) => alerts.filter((_, at) => at % 2 === half))
  const tests = [[], ...halves].map(scene)
  const files = {
    'signet.rules.yml': file,
    'tests.yml': { rule_files: ['signet.rules.yml'], evaluation_interval: '1m', tests },
  }
  const { status, said } = await promtool(t, files, ['test', 'rules', 'tests.yml'])
  t.is(status, 0, said)
})
