import { createHash } from 'node:crypto'
import { callSpan } from '../telemetry/call-span.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'

interface Dependencies {
  /** Such as `https://api.pwnedpasswords.com/range/`. */
  readonly url: string
  readonly log: Log
  readonly metrics: Metrics
  readonly timeoutMilliseconds?: number
}

/** A padded answer has about 50 kB; a longer one does not come from a range service. */
const longestAnswerBytes = 1_048_576

/**
 * ASVS 6.2.12 by k-anonymity: the service learns five hex digits of a SHA-1, which about a thousand
 * breached passwords share. While the service is unavailable, passwords are accepted without it.
 */
export class BreachedPasswords {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  async includes(password: string): Promise<boolean> {
    const { log, metrics } = this.#deps
    const digest = createHash('sha1').update(password).digest('hex').toUpperCase()
    try {
      const answer = await this.#fetchRange(digest.slice(0, 5))
      const found = countIn(answer, digest.slice(5)) > 0
      metrics.breachedPasswords.inc({ outcome: found ? 'breached' : 'unknown' })
      return found
    } catch (error) {
      metrics.breachedPasswords.inc({ outcome: 'failed' })
      log.warn(
        { err: error },
        'a new password could not be looked up in the list of breached passwords',
      )
      return false
    }
  }

  async #fetchRange(prefix: string): Promise<string> {
    const { url, timeoutMilliseconds = 1000 } = this.#deps
    return callSpan('GET', url, async ({ headers, answered }) => {
      const response = await fetch(`${url.replace(/\/$/, '')}/${prefix}`, {
        // Padding hides the number of entries from the network: padded entries have a count of 0.
        headers: { 'Add-Padding': 'true', 'User-Agent': 'signet', ...headers },
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMilliseconds),
      })
      answered(response.status)
      if (response.ok) return readBounded(response)
      await response.body?.cancel()
      throw new Error(`the range service answered ${response.status}`)
    })
  }
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop closes the connection.
    if (bytes > longestAnswerBytes) throw new Error('the answer of the range service is too long')
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

/** @throws Error when this is not the answer of a range service, such as the page of a proxy */
function countIn(answer: string, suffix: string): number {
  for (const line of answer.split('\n')) {
    if (line.trim() === '') continue
    const [, candidate, count] = /^([0-9A-F]{35}):(\d{1,15})\s*$/i.exec(line) ?? []
    if (!candidate) throw new Error('the answer of the range service is malformed')
    if (candidate.toUpperCase() === suffix) return Number(count)
  }
  return 0
}
