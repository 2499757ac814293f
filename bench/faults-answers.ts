import { request } from 'node:http'
import { app } from '../tools/fixtures.ts'
import { basic } from '../tools/http-client.ts'

const authorization = basic(app)

export interface Answer {
  readonly status: number
  readonly milliseconds: number
}

/** An introspection: without Redis it asks the database each time, and no limit counts it. */
let accessToken = ''

export function introspects(token: string): void {
  accessToken = token
}

/** A connection for each, without the work that fetch does: it is the server that is looked at. */
export function ask(base: string): Promise<Answer> {
  const startedAt = performance.now()
  const body = new URLSearchParams({ token: accessToken }).toString()
  return new Promise((resolve) => {
    const done = (status: number) =>
      resolve({ status, milliseconds: performance.now() - startedAt })
    const headers = {
      ...{ authorization, 'content-length': Buffer.byteLength(body) },
      'content-type': 'application/x-www-form-urlencoded',
    }
    const options = { method: 'POST', agent: false, headers, timeout: 60_000 } as const
    const sent = request(`${base}/oauth/introspect`, options, (response) => {
      response.resume().once('end', () => done(response.statusCode ?? 0))
      response.once('error', () => done(0))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => done(0))
    sent.end(body)
  })
}

export function summary(answers: readonly Answer[]): string {
  const counts = new Map<number, number>()
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1)
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  const shares = [...counts].map(([status, count]) => `${count} × ${status || 'broken'}`).join(', ')
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]
  return `${shares}; p50 ${at(0.5)?.toFixed(0)} ms, p99 ${at(0.99)?.toFixed(0)} ms, last ${times.at(-1)?.toFixed(0)} ms`
}

/** Ten requests one after another. */
export async function few(base: string): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let count = 0; count < 10; count += 1) answers.push(await ask(base))
  return answers
}
