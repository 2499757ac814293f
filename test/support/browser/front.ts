import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

/** A load balancer: one address for several instances. */
export interface Front {
  readonly url: string
  /** The instance that gets the requests from now on. */
  sendTo(instanceUrl: string): void
}

export async function startFront(t: ExecutionContext<unknown>): Promise<Front> {
  let target = ''
  const http = createServer((incoming, outgoing) => {
    const { method, headers, url = '' } = incoming
    const onward = request(`${target}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.writeHead(502).end())
    incoming.pipe(onward)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const sendTo = (instanceUrl: string) => {
    target = instanceUrl
  }
  return { url, sendTo }
}
