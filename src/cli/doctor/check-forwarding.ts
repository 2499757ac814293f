import type { Config } from '../../config/config.ts'
import { urlOf } from '../../server/http-server.ts'
import { type Finding, warning } from './finding.ts'

const patienceMilliseconds = 2_000

/** Reads from the metrics of a running server whether it ignores addresses that a proxy forwards. */
export async function checkForwarding(config: Config): Promise<Finding[]> {
  const ignored = await ignoredRequests(config)
  if (ignored === 0) return []
  return [
    warning(
      'proxies',
      `${ignored} request${ignored === 1 ? '' : 's'} had an X-Forwarded-For header, which is ignored because TRUSTED_PROXIES is empty.`,
      'Add the proxy to TRUSTED_PROXIES, so that limits and logs see the addresses of callers.',
    ),
  ]
}

async function ignoredRequests(config: Config): Promise<number> {
  const [port = 0] = config.metricsPorts
  if (port === 0) return 0
  try {
    const signal = AbortSignal.timeout(patienceMilliseconds)
    const answer = await fetch(`${urlOf(config.METRICS_HOST, port)}/metrics`, { signal })
    const [, count] = /^signet_forwarded_for_ignored_total (\d+)/m.exec(await answer.text()) ?? []
    return Number(count ?? 0)
  } catch {
    return 0
  }
}
