import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

/** A stand-in for the range service of breached passwords, on this machine. */
export interface RangeService {
  readonly url: string
  readonly asked: IncomingMessage[]
}

export type RangeAnswer = (response: ServerResponse, prefix: string) => void

export async function startRangeService(
  t: ExecutionContext<unknown>,
  answer: RangeAnswer,
): Promise<RangeService> {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    answer(response, request.url?.split('/').at(-1) ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/range/`, asked }
}

export const sha1 = (text: string): string =>
  createHash('sha1').update(text).digest('hex').toUpperCase()

/** Answers as the real one does: entries of other passwords around, a count behind each. */
export const listing =
  (counts: Record<string, number>): RangeAnswer =>
  (response, prefix) => {
    const entries = Object.entries(counts).filter(([password]) => sha1(password).startsWith(prefix))
    const others = Array.from({ length: 800 }, (_, i) => `${sha1(`other ${i}`).slice(5)}:${i % 9}`)
    const own = entries.map(([password, count]) => `${sha1(password).slice(5)}:${count}`)
    response.end([...others.slice(400), ...own, ...others.slice(0, 400)].join('\r\n'))
  }
