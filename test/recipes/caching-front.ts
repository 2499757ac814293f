import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Closing } from '../support/server/closing.ts'
import { forward } from './forward.ts'

/** A proxy in front of the server that goes on handing out the JWKS that it has, to every caller. */
export interface CachingFront {
  readonly url: string
  target: string
  /** Takes the JWKS as it is now, to be handed out from now on for as long as it may be. */
  refresh(): Promise<void>
  /** From now on the JWKS stays as it is. */
  hold(): void
}

interface Options {
  /** How long a JWKS is handed out. */
  readonly keptSeconds: number
  /** The `max-age` that services are told: how long they may keep it on top of that. */
  readonly serviceSeconds: number
}

export async function startCachingFront(options: Options, closing: Closing): Promise<CachingFront> {
  const { keptSeconds, serviceSeconds } = options
  let held = false
  let cached = { body: '', until: 0 }
  const refresh = async () => {
    const answer = await fetch(new URL('/.well-known/jwks.json', front.target))
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`)
    const until = performance.now() + keptSeconds * 1000
    cached = { body: await answer.text(), until }
  }
  const jwks = async () => {
    if (!held && performance.now() >= cached.until) await refresh()
    return cached.body
  }
  const front = {
    ...{ url: '', target: '', refresh },
    hold: () => {
      held = true
    },
  }
  const server = createServer((incoming, answer) => {
    if (incoming.url !== '/.well-known/jwks.json') return forward(incoming, answer, front.target)
    const headers = {
      'content-type': 'application/json',
      'cache-control': `max-age=${serviceSeconds}`,
    }
    jwks().then(
      (body) => answer.writeHead(200, headers).end(body),
      () => answer.writeHead(502).end(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.add(() => {
    server.closeAllConnections()
    server.close()
  })
  front.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return front
}
