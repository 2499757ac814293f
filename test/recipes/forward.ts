import { type IncomingMessage, request, type ServerResponse } from 'node:http'

/** Passes a request on, body and all, as a proxy in front of the server does. */
export function forward(incoming: IncomingMessage, answer: ServerResponse, target: string): void {
  const { method, headers, url = '/' } = incoming
  const on = request(new URL(url, target), { method, headers }, (from) => {
    answer.writeHead(from.statusCode ?? 502, from.headers)
    from.pipe(answer)
    from.on('error', () => answer.destroy())
  })
  on.on('error', () => {
    if (!answer.headersSent) answer.writeHead(502)
    answer.end()
  })
  answer.on('close', () => on.destroy())
  incoming.pipe(on)
}
