import type { RequestListener } from 'node:http'
import type { Log } from './log.ts'

/** A registry of this process, or of all workers. */
export interface Readable {
  readonly contentType: string
  metrics(): Promise<string>
}

/** What answers on the metrics port: `/metrics`, and nothing else. */
export function scrape(registry: Readable, log: Log): RequestListener {
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
