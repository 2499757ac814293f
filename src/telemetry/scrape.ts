import type { RequestListener } from 'node:http'
import type { Log } from './log.ts'

/** The metrics of this process, or of all workers. */
export interface MetricsSource {
  readonly contentType: string
  metrics(): Promise<string>
}

/** Handles the metrics port, which serves `/metrics` and nothing else. */
export function scrape(registry: MetricsSource, log: Log): RequestListener {
  return async (request, response) => {
    const [path] = (request.url ?? '').split('?', 1)
    if (path !== '/metrics' || !['GET', 'HEAD'].includes(request.method ?? '')) {
      response.writeHead(404).end()
      return
    }
    try {
      const text = await registry.metrics()
      response.setHeader('content-type', registry.contentType)
      response.end(text)
    } catch (error) {
      log.error({ err: error }, 'the metrics could not be read')
      response.writeHead(500).end()
    }
  }
}
