/** A metric as a row of docs/metrics.md describes it. */
export interface DescribedMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly meaning: string
}

/** The metrics of docs/metrics.md, which a test compares with those of the server. */
export const describedMetrics = (page: string): DescribedMetric[] =>
  [...page.matchAll(/^\| `(signet_\w+)` \| (\w+) \|([^|]*)\| (.*) \|$/gm)].map(
    ([, name = '', type = '', labels = '', meaning = '']) => ({
      name,
      type: type as DescribedMetric['type'],
      labels: labels.match(/\w+/g) ?? [],
      meaning: plain(meaning),
    }),
  )

/** Without links and code marks. */
const plain = (markdown: string): string =>
  markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')

/** An alert as a row of docs/metrics.md describes it; `for` is empty when it fires at once. */
export interface DescribedAlert {
  readonly expr: string
  readonly for: string
}

export const describedAlerts = (page: string): DescribedAlert[] =>
  [...page.slice(page.indexOf('## Alerts')).matchAll(/^\| `([^`]+)`(?: for (\d+) min)?/gm)].map(
    ([, expr = '', minutes]) => ({ expr, for: minutes ? `${minutes}m` : '' }),
  )
