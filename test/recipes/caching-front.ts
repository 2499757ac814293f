import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Closing } from './closing.ts'
import { forward } from './forward.ts'

/** A proxy or CDN in front of the server that hands out the JWKS for as long as `max-age` lets it. */
export interface CachingFront {
  readonly url: string
  target: string
  /** From now on the JWKS stays as it is. */
  hold(): void
}

interface Options {
  /** Time runs so many times as fast: `max-age` of the server is shortened by it. */
  readonly speed: number
  /** The `max-age` that services are told: how long they may keep the set. */
  readonly serviceSeconds: number
}

export async function startCachingFront(options: Options, closing: Closing): Promise<CachingFront> {
  const { speed, serviceSeconds } = options
  let held = false
  let cached = { body: '', until: 0 }
  const jwks = async () => {
    if (held || performance.now() < cached.until) return cached.body
    const answer = await fetch(new URL('/.well-known/jwks.json', front.target))
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`)
    const [, maxAge] = /max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '') ?? []
    const body = await answer.text()
    cached = { body, until: performance.now() + (Number(maxAge) * 1000) / speed }
    return body
  }
  const front = {
    ...{ url: '', target: '' },
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
