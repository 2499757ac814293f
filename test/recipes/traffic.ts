import { eventually } from '../../tools/eventually.ts'
import { readToken } from '../support/clients/clients.ts'
import type { Installation } from './installation.ts'
import type { Service } from './listeners.ts'

interface Minted {
  readonly token: string
  readonly kid: string
  readonly expiresAt: number
  checkedLate: boolean
}

export interface Count {
  checked: number
  readonly refused: string[]
}

/** So long before its end a token is checked once more. */
const lateMilliseconds = 3000

/**
 * Tokens are made all the time, and each is shown to every service: at once, shortly before it
 * expires, and the oldest of each key all the time in between.
 */
export class Traffic {
  readonly counts: Readonly<Record<string, Count>>
  readonly #server: Installation
  readonly #services: Readonly<Record<string, Service>>
  readonly #revoked = new Set<string>()
  #tokens: Minted[] = []
  #ended = false
  #flow: Promise<void> = Promise.resolve()

  constructor(server: Installation, services: Readonly<Record<string, Service>>) {
    this.#server = server
    this.#services = services
    const names = Object.keys(services)
    this.counts = Object.fromEntries(names.map((name) => [name, { checked: 0, refused: [] }]))
  }

  start(): void {
    this.#flow = this.#run()
  }

  async end(): Promise<void> {
    this.#ended = true
    await this.#flow
  }

  get signer(): string | undefined {
    return this.#tokens.at(-1)?.kid
  }

  /** The newest token of a key, if it has not expired. */
  liveTokenOf(kid: string): string | undefined {
    const newest = this.#tokens.findLast((token) => token.kid === kid)
    return newest && newest.expiresAt > Date.now() ? newest.token : undefined
  }

  /** Tokens of this key are good no longer. */
  revoke(kid: string): void {
    this.#revoked.add(kid)
  }

  async until(kid: string, seconds: number): Promise<void> {
    await eventually(() => this.signer === kid || this.#ended, `${kid} signs`, seconds)
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      const turn = new Promise((resolve) => setTimeout(resolve, 200))
      const fresh = await this.#mint()
      const now = Date.now()
      this.#tokens = this.#tokens.filter(({ expiresAt }) => expiresAt > now + 500)
      const oldest = new Map(this.#tokens.toReversed().map((token) => [token.kid, token]))
      const late = this.#tokens.filter(
        ({ checkedLate, expiresAt }) => !checkedLate && expiresAt < now + lateMilliseconds,
      )
      for (const token of late) token.checkedLate = true
      await this.#check(new Set([...fresh, ...oldest.values(), ...late]))
      await turn
    }
  }

  /** None, while the server is down. */
  async #mint(): Promise<Minted[]> {
    const answer = await this.#server.clientCredentials().catch(() => undefined)
    if (answer?.status !== 200) return []
    const { header, claims } = readToken(answer.body.access_token)
    const minted = { kid: header.kid, expiresAt: claims.exp * 1000, checkedLate: false }
    this.#tokens.push({ token: answer.body.access_token, ...minted })
    return this.#tokens.slice(-1)
  }

  async #check(tokens: Iterable<Minted>): Promise<void> {
    for (const { token, kid, expiresAt } of tokens) {
      const asked = Object.entries(this.#services).map(async ([name, service]) => {
        const status = await service.ask(token).catch((error) => (error as Error).message)
        // One that expired, or whose key was revoked, while it was asked about says nothing.
        if (this.#revoked.has(kid) || Date.now() > expiresAt) return
        const count = this.counts[name] as Count
        count.checked += 1
        if (status !== 200) count.refused.push(`${kid}: ${status}`)
      })
      await Promise.all(asked)
    }
  }
}
