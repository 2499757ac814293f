import type { Answer, AnswerOptions } from './issuer-connection.ts'

export interface Door {
  /** Of `IssuerConnection`, or a `fetch` of the service's own. */
  readonly get: (url: string, options: AnswerOptions) => Promise<Answer>
  readonly timeoutSeconds: number
}

export interface DownloadOptions {
  readonly accept: string
  readonly limitBytes: number
  /** How long the server may take before it answers at all, beside the timeout. */
  readonly waitSeconds?: number
  /** Ends it before its time. */
  readonly signal: AbortSignal
}

export interface Download {
  readonly headers: Answer['headers']
  readonly body: Buffer
}

/**
 * One whole answer, or an error: no redirect, since what stands elsewhere is somebody else's word; no
 * status but 200; never more than the limit in memory; and one deadline from the connection to the
 * last byte, so that neither a silent nor a trickling server holds anything up.
 */
export async function download(
  guard: Door,
  url: string,
  options: DownloadOptions,
): Promise<Download> {
  const seconds = guard.timeoutSeconds + (options.waitSeconds ?? 0)
  const deadline = new AbortController()
  const late = () => deadline.abort(new Error(`no whole answer within ${seconds} s`))
  const timer = setTimeout(late, seconds * 1000).unref()
  const end = () => deadline.abort(new Error('the verifier was closed'))
  if (options.signal.aborted) end()
  options.signal.addEventListener('abort', end, { once: true })
  try {
    const work = read(guard, url, options, deadline.signal)
    // A `fetch` that was handed in may not heed its signal.
    return await Promise.race([work, aborted(deadline.signal)])
  } catch (error) {
    // An answer that is refused is not read to its end.
    deadline.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', end)
  }
}

async function read(guard: Door, url: string, options: DownloadOptions, signal: AbortSignal) {
  const headers = { accept: options.accept, 'user-agent': 'signet-verifier' }
  const answer = await guard.get(url, { headers, redirect: 'error', signal })
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
  const body = await readBody(answer.body ?? [], options.limitBytes, signal)
  return { headers: answer.headers, body }
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/**
 * Content-Length is a claim like any other: what counts is what comes, decompressed. It is copied into one
 * buffer, because chunks of one byte would take a hundred times their size.
 */
async function readBody(chunks: Chunks, limit: number, signal: AbortSignal): Promise<Buffer> {
  let body = Buffer.alloc(16_384)
  let size = 0
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    const wanted = size + chunk.byteLength
    if (wanted > limit) throw new Error(`more than ${limit} bytes`)
    if (wanted > body.length) {
      const larger = Buffer.alloc(Math.max(wanted, 2 * body.length))
      body.copy(larger, 0, 0, size)
      body = larger
    }
    body.set(chunk, size)
    size = wanted
  }
  return body.subarray(0, size)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** What `fetch failed` keeps to itself is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  return cause instanceof Error && cause.message ? `${message}: ${cause.message}` : message
}
