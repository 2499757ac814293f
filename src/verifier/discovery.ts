import { type Door, download } from './download.ts'
import { jsonObject } from './json.ts'

/** What a verifier needs of the metadata: RFC 8414 §2. */
export interface Metadata {
  readonly jwksUri: string
  /** Absent: the issuer has no feed. */
  readonly revocationsUri?: string
}

const limitBytes = 64 * 1024
const rereadSeconds = 3600

/** `localhost` as RFC 6761 §6.3 reserves it, 127.0.0.0/8 and ::1: nobody is in between. */
const loopback = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/

const isLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && loopback.test(hostname)

/** RFC 8414 §2: https, without query and fragment. Plain http only where there is no network. */
export function assertIssuer(issuer: string): void {
  if (!URL.canParse(issuer)) throw new TypeError('issuer is not a URL')
  const url = new URL(issuer)
  if (url.protocol !== 'https:' && !isLoopback(url)) {
    throw new TypeError('issuer must be https; http is for loopback addresses only')
  }
  if (/[?#]/.test(issuer) || url.username || url.password) {
    throw new TypeError('issuer must have no query, no fragment and no credentials: RFC 8414 §2')
  }
}

/** RFC 8414 §3.1: the well-known part stands between host and path. */
export function metadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
}

interface Dependencies extends Door {
  readonly issuer: string
  readonly signal: AbortSignal
  readonly now: () => Date
  readonly onProblem: (error: unknown) => void
}

/**
 * The metadata, read again each hour: an issuer may get a feed, or move its keys, while services run.
 * When that fails, what was read before goes on.
 */
export class Discovery {
  readonly #deps: Dependencies
  #metadata: Metadata | undefined
  #readAt = 0

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  get metadata(): Metadata | undefined {
    return this.#metadata
  }

  async current(): Promise<Metadata> {
    const known = this.#metadata
    const age = this.#deps.now().getTime() - this.#readAt
    if (known && age >= 0 && age < rereadSeconds * 1000) return known
    try {
      this.#metadata = await discover(this.#deps)
      this.#readAt = this.#deps.now().getTime()
      return this.#metadata
    } catch (error) {
      this.#deps.onProblem(error)
      if (known) return known
      throw error
    }
  }
}

async function discover(deps: Dependencies): Promise<Metadata> {
  const { issuer, signal } = deps
  const { body } = await download(deps, metadataUrl(issuer), {
    accept: 'application/json',
    limitBytes,
    signal,
  })
  const document = jsonObject(body)
  if (!document) throw new Error('the metadata are not a JSON object')
  // RFC 8414 §3.3, §4: identical, without any normalization, or the document is not about this issuer.
  if (document.issuer !== issuer) throw new Error('the metadata are those of another issuer')
  const jwksUri = address(document, 'jwks_uri', issuer)
  if (document.revocations_uri === undefined) return { jwksUri }
  return { jwksUri, revocationsUri: address(document, 'revocations_uri', issuer) }
}

function address(document: Readonly<Record<string, unknown>>, member: string, issuer: string) {
  const value = document[member]
  if (typeof value !== 'string' || !URL.canParse(value)) throw new Error(`${member} is no URL`)
  const url = new URL(value)
  // Who trusts nothing but TLS must not be led away from it.
  const fits = url.protocol === 'https:' || (isLoopback(url) && isLoopback(new URL(issuer)))
  if (!fits) throw new Error(`${member} is not https`)
  if (url.hash || url.username || url.password) throw new Error(`${member} is no plain address`)
  return value
}
