import { recorded, startSpan } from './spans.ts'

interface Call {
  /** W3C Trace Context, to be sent; empty while nothing is recorded. */
  readonly headers: Readonly<Record<string, string>>
  /** Records the status of the answer. */
  answered(status: number): void
}

const untraced: Call = { headers: {}, answered: () => undefined }

/**
 * Calls another HTTP server in a span. Of the URL it shows the host and the port: the rest may hold a digest
 * or a secret.
 */
export function callSpan<T>(
  method: string,
  url: string,
  call: (call: Call) => Promise<T>,
): Promise<T> {
  const span = startSpan(method, { kind: 'client' })
  if (!span) return call(untraced)
  span.set(attributesOf(method, url))
  const headers = span.headers()
  const answered = (status: number) => {
    span.set({ 'http.response.status_code': status })
    if (status >= 400) span.fail(String(status))
  }
  return recorded(span, () => call({ headers, answered }))
}

function attributesOf(method: string, url: string) {
  const { hostname, port, protocol } = new URL(url)
  return {
    'http.request.method': method,
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
  }
}
