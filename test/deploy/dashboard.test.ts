import { readFile } from 'node:fs/promises'
import test from 'ava'
import { dashboard } from '../support/docs/dashboard.ts'
import { describedMetrics } from '../support/docs/metrics-table.ts'
import { promtool } from './promtool.ts'

interface Dashboard {
  readonly panels: readonly {
    readonly id: number
    readonly targets?: readonly { expr: string }[]
  }[]
}

test('deploy/grafana/signet.json → a panel for each metric of docs/metrics.md', async (t) => {
  const advice =
    'deploy/grafana/signet.json is out of date. Renew it: npx tsx test/support/docs/dashboard.ts'
  const page = await readFile('docs/metrics.md', 'utf8')
  const text = await readFile('deploy/grafana/signet.json', 'utf8')
  t.is(text, dashboard(page), advice)
  for (const { name } of describedMetrics(page)) t.true(text.includes(`${name}`), name)
})

test('a metric without a panel → an error that names it', async (t) => {
  const page = await readFile('docs/metrics.md', 'utf8')
  const row = '| `signet_new_total` | counter | | something new |\n'
  t.throws(() => dashboard(`${page}\n${row}`), { message: /no panel .*signet_new_total/ })
})

test('every expression of the dashboard → promtool reads it', async (t) => {
  const { panels } = JSON.parse(await readFile('deploy/grafana/signet.json', 'utf8')) as Dashboard
  t.is(new Set(panels.map(({ id }) => id)).size, panels.length)
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  t.true(expressions.length > 35)
  const rules = expressions.map((expr, at) => ({
    record: `dashboard:expression_${at}`,
    expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(job|instance)/g, 'x'),
  }))
  const groups = { groups: [{ name: 'dashboard', rules }] }
  const { status, said } = await promtool(t, { 'rules.yml': groups }, [
    'check',
    'rules',
    'rules.yml',
  ])
  t.is(status, 0, said)
})
