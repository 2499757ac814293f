import { jsonObject } from './compact-jws.ts'
import { download, type Fetcher } from './download.ts'

/** The parts of the metadata (RFC 8414 §2) that a verifier needs. */
export interface Metadata {
  readonly jwksUri: string
  /** Absent when the issuer has no feed. */
  readonly revocationsUri?: string
}

const limitBytes = 64 * 1024
const rereadSeconds = 3600

/** `localhost` (RFC 6761 §6.3), 127.0.0.0/8 and ::1, which no network can intercept. */
const loopback = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/

const isLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && loopback.test(hostname)

/**
 * Checks the issuer (RFC 8414 §2): https, without query and fragment; http only on loopback.
 * @throws TypeError
 */
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

/** The URL of the metadata: RFC 8414 §3.1 puts the well-known part between host and path. */
function metadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
}

interface Dependencies extends Fetcher {
  readonly issuer: string
  readonly signal: AbortSignal
  readonly now: () => Date
  readonly onProblem: (error: unknown) => void
}

/**
 * The metadata, reread every hour: an issuer may add a feed or move its keys while services run. When
 * rereading fails, the known metadata stay in use.
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
  // RFC 8414 §3.3, §4: it must be identical, without normalization.
  if (document.issuer !== issuer) throw new Error('the metadata are from another issuer')
  const jwksUri = address(document, 'jwks_uri', issuer)
  if (document.revocations_uri === undefined) return { jwksUri }
  return { jwksUri, revocationsUri: address(document, 'revocations_uri', issuer) }
}

function address(document: Readonly<Record<string, unknown>>, member: string, issuer: string) {
  const value = document[member]
  if (typeof value !== 'string' || !URL.canParse(value)) throw new Error(`${member} is not a URL`)
  const url = new URL(value)
  // Metadata must not lead from https to http.
  const fits = url.protocol === 'https:' || (isLoopback(url) && isLoopback(new URL(issuer)))
  if (!fits) throw new Error(`${member} is not https`)
  if (url.hash || url.username || url.password)
    throw new Error(`${member} has a fragment or credentials`)
  return value
}
