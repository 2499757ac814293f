export interface Door {
  readonly fetch: typeof globalThis.fetch
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
  readonly headers: Headers
  readonly body: Buffer
}

/**
 * One whole answer, or an error: no redirect, since what stands elsewhere is somebody else's word; no
 * status but 200; never more than the limit in memory; and one deadline from the connection to the
 * last byte, so that neither a silent nor a trickling server holds anything up.
 */
export async function download(
  door: Door,
  url: string,
  options: DownloadOptions,
): Promise<Download> {
  const seconds = door.timeoutSeconds + (options.waitSeconds ?? 0)
  const deadline = new AbortController()
  const late = () => deadline.abort(new Error(`no whole answer within ${seconds} s`))
  const timer = setTimeout(late, seconds * 1000).unref()
  const end = () => deadline.abort(new Error('the verifier was closed'))
  if (options.signal.aborted) end()
  options.signal.addEventListener('abort', end, { once: true })
  try {
    const work = read(door, url, options, deadline.signal)
    // A `fetch` that was handed in may not heed its signal.
    return await Promise.race([work, aborted(deadline.signal)])
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', end)
  }
}

async function read(door: Door, url: string, options: DownloadOptions, signal: AbortSignal) {
  const headers = { accept: options.accept, 'user-agent': 'signet-verifier' }
  const response = await door.fetch(url, { headers, redirect: 'error', signal })
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => undefined)
    throw new Error(`status ${response.status}`)
  }
  // Content-Length is a claim like any other: what counts is what comes, decompressed.
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > options.limitBytes) throw new Error(`more than ${options.limitBytes} bytes`)
    chunks.push(chunk)
  }
  return { headers: response.headers, body: Buffer.concat(chunks) }
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
