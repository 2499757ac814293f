import type { Answer, AnswerOptions } from './issuer-connection.ts'

export interface Fetcher {
  /** `IssuerConnection.get`, or the service's own `fetch`. */
  readonly get: (url: string, options: AnswerOptions) => Promise<Answer>
  readonly timeoutSeconds: number
}

interface DownloadOptions {
  readonly accept: string
  readonly limitBytes: number
  /** Added to the timeout: how long a long poll may wait. */
  readonly waitSeconds?: number
  /** Aborts the download. */
  readonly signal: AbortSignal
}

interface Download {
  readonly headers: Answer['headers']
  readonly body: Buffer
}

/**
 * Downloads one complete response or fails: it follows no redirect, because another origin cannot speak
 * for the issuer; accepts only status 200; and never keeps more than the limit in memory. One deadline
 * covers everything up to the last byte, so that no silent or slow server delays the service.
 */
export async function download(
  fetcher: Fetcher,
  url: string,
  options: DownloadOptions,
): Promise<Download> {
  const seconds = fetcher.timeoutSeconds + (options.waitSeconds ?? 0)
  const deadline = new AbortController()
  const late = () => deadline.abort(new Error(`no complete response within ${seconds} s`))
  const timer = setTimeout(late, seconds * 1000).unref()
  const end = () => deadline.abort(new Error('the verifier was closed'))
  if (options.signal.aborted) end()
  options.signal.addEventListener('abort', end, { once: true })
  try {
    const work = read(fetcher, url, options, deadline.signal)
    // A custom `fetch` may ignore its signal.
    return await Promise.race([work, aborted(deadline.signal)])
  } catch (error) {
    // Stop reading a refused response.
    deadline.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', end)
  }
}

async function read(fetcher: Fetcher, url: string, options: DownloadOptions, signal: AbortSignal) {
  const headers = { accept: options.accept, 'user-agent': 'signet-verifier' }
  const answer = await fetcher.get(url, { headers, redirect: 'error', signal })
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
  const body = await readBody(answer.body ?? [], options.limitBytes, signal)
  return { headers: answer.headers, body }
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/**
 * Reads a body up to the limit. Content-Length is not trusted; the decompressed bytes count. They are copied
 * into one buffer, because chunks of one byte would take a hundred times their size.
 */
async function readBody(chunks: Chunks, limit: number, signal: AbortSignal): Promise<Buffer> {
  let body = Buffer.alloc(16_384)
  let size = 0
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    const total = size + chunk.byteLength
    if (total > limit) throw new Error(`more than ${limit} bytes`)
    if (total > body.length) {
      const larger = Buffer.alloc(Math.max(total, 2 * body.length))
      body.copy(larger, 0, 0, size)
      body = larger
    }
    body.set(chunk, size)
    size = total
  }
  return body.subarray(0, size)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** The message of an error with its cause, which explains errors such as `fetch failed`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  return cause instanceof Error && cause.message ? `${message}: ${cause.message}` : message
}
