import { createHash, randomBytes } from 'node:crypto'

/** Names a token, a session, all tokens of a client, or all tokens of a key, to revoke them. */
export type RevocationMark =
  | { readonly jti: string }
  | { readonly sid: string }
  | { readonly client: string }
  | { readonly kid: string }

/** The claims of a list that depend on its content. */
interface TestList {
  readonly seq: string
  readonly since?: string
  readonly revoked: Readonly<Record<string, string>>
}

interface Entry {
  readonly digest: Buffer
  readonly expiresAt: number
}

const longestWaitSeconds = 30

/** The in-memory log behind the feed of a test issuer, in the format of docs/verifying.md. */
export class TestRevocations {
  /** Distinguishes a `seq` of this log from those of other issuers and earlier runs. */
  readonly #history = randomBytes(6).toString('base64url')
  readonly #log: Entry[] = []
  readonly #waiting = new Set<() => void>()

  /** @param expiresAt seconds since the epoch, rounded up to the minute as the server does */
  add(mark: RevocationMark, expiresAt: number): void {
    const [kind, value] = Object.entries(mark)[0] as [string, string]
    const digest = createHash('sha256').update(`${kind}:${value}`).digest().subarray(0, 16)
    this.#log.push({ digest, expiresAt: Math.ceil(expiresAt / 60) * 60 })
    for (const wake of this.#waiting) wake()
  }

  /** The delta since a `seq` of this log, otherwise the full list. */
  list(since: string | undefined, nowSeconds: number): TestList {
    const known = this.#position(since)
    const groups: Record<string, Buffer[]> = {}
    for (const { digest, expiresAt } of this.#log.slice(known ?? 0)) {
      if (expiresAt <= nowSeconds) continue
      groups[expiresAt] ??= []
      groups[expiresAt].push(digest)
    }
    const revoked = Object.entries(groups).map(([expiresAt, digests]) => [
      expiresAt,
      Buffer.concat(digests).toString('base64url'),
    ])
    return {
      seq: `${this.#history}.${this.#log.length}`,
      ...(known !== undefined && since !== undefined && { since }),
      revoked: Object.fromEntries(revoked),
    }
  }

  /** Resolves when there is news after `since`, the time is over, or the reader has disconnected. */
  async news(since: string | undefined, seconds: number, gone: AbortSignal): Promise<void> {
    if (this.#position(since) !== this.#log.length || seconds <= 0 || gone.aborted) return
    const { promise, resolve } = withResolvers()
    const timer = setTimeout(resolve, Math.min(seconds, longestWaitSeconds) * 1000)
    gone.addEventListener('abort', resolve, { once: true })
    this.#waiting.add(resolve)
    await promise
    this.#waiting.delete(resolve)
    clearTimeout(timer)
  }

  #position(since: string | undefined): number | undefined {
    const [, history, count] = /^([\w-]{8})\.(\d{1,9})$/.exec(since ?? '') ?? []
    const position = Number(count)
    return history === this.#history && position <= this.#log.length ? position : undefined
  }
}

/** Promise.withResolvers needs Node 22. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
