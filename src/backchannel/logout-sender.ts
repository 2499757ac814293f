import { epochSeconds, type Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { QueueWorkers } from '../stores/queue-workers.ts'
import { failureMembers } from '../stores/unavailable.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { activeSpan, type Tracer, tracedJob } from '../telemetry/spans.ts'
import type { ClaimedLogout, LogoutBacklog, LogoutDeliveries } from './logout-deliveries.ts'
import { postLogout } from './logout-request.ts'

/*
 * A notification is a row that the transaction wrote which ended the session, so that it exists if and only
 * if the session has ended. A sender that dies between the answer of the client and the record sends it
 * again, with the same `jti`, by which the client can recognize the second copy.
 */

interface Dependencies {
  readonly deliveries: LogoutDeliveries
  readonly keyring: Pick<LiveKeyring, 'sign'>
  readonly issuer: string
  readonly now: Now
  readonly log: Log
  readonly metrics: Metrics
  readonly tracer?: Tracer | undefined
}

/** Notifications sent at the same time, each on its own connection. */
const lanes = 16
/** A client that answers slowly must not occupy every lane. */
const lanesPerClient = 2
/** Long enough for the clocks of this server and of the client to differ. */
const tokenSeconds = 120
/** A client that refuses a token is asked again, because its keys may have been too old. */
const mostRefusals = 3

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

/** Creates the sender of due notifications: OpenID Connect Back-Channel Logout 1.0. */
export function createLogoutSender(deps: Dependencies): QueueWorkers<LogoutBacklog> {
  const { deliveries, log } = deps
  const stopping = new AbortController()
  const lane = new LogoutDelivery(deps, stopping.signal)
  return new QueueWorkers({
    lanes,
    next: (onClaim) => lane.next(onClaim),
    backlog: () => deliveries.backlog(),
    noBacklog: { waiting: 0, oldestSeconds: 0 },
    abort: () => stopping.abort(new Error('the server is stopping')),
    onError: (error, task) => {
      const message =
        task === 'counting'
          ? 'counting the logout notifications failed'
          : 'sending logout notifications failed'
      log.error(failureMembers(error), message)
    },
  })
}

/** Takes one notification from its claim to the record of its outcome. */
class LogoutDelivery {
  readonly #deps: Dependencies
  readonly #stopping: AbortSignal
  /** Notifications under way, by client. */
  readonly #underWay = new Map<string, number>()
  #claiming: Promise<unknown> = Promise.resolve()

  constructor(deps: Dependencies, stopping: AbortSignal) {
    this.#deps = deps
    this.#stopping = stopping
  }

  async next(onClaim: () => void): Promise<boolean> {
    const claim = await this.#claim()
    if (!claim) return false
    onClaim()
    try {
      await tracedJob(this.#deps.tracer, 'send logout notification', () => this.#handle(claim))
    } finally {
      this.#count(claim.clientId, -1)
    }
    return true
  }

  /** One claim at a time, so that each knows what the ones before it have taken. */
  #claim(): Promise<ClaimedLogout | undefined> {
    const claim = this.#claiming.then(async () => {
      const busy = [...this.#underWay].filter(([, count]) => count >= lanesPerClient)
      const claimed = await this.#deps.deliveries.claim(busy.map(([clientId]) => clientId))
      if (claimed) this.#count(claimed.clientId, 1)
      return claimed
    })
    this.#claiming = claim.catch(() => undefined)
    return claim
  }

  #count(clientId: string, change: 1 | -1): void {
    const count = (this.#underWay.get(clientId) ?? 0) + change
    if (count > 0) this.#underWay.set(clientId, count)
    else this.#underWay.delete(clientId)
  }

  async #handle(claim: ClaimedLogout): Promise<void> {
    const { deliveries } = this.#deps
    const { uri } = claim
    if (uri === undefined)
      return this.#fail(claim, 'the client wants no notifications any more', true)
    let status: number
    try {
      status = await postLogout(uri, await this.#token(claim), this.#stopping)
    } catch (error) {
      return this.#fail(claim, reasonOf(error), false)
    }
    if (status === 200 || status === 204) {
      await deliveries.delivered(claim)
      return this.#report('delivered', claim)
    }
    const refusals = claim.refusals + (status === 400 ? 1 : 0)
    await this.#fail({ ...claim, refusals }, `status ${status}`, refusals >= mostRefusals)
  }

  /** §2.4. It has no nonce, so that it never passes for an ID token. */
  #token({ id, clientId, sid, subject }: ClaimedLogout): Promise<string> {
    const { keyring, issuer, now } = this.#deps
    const iat = epochSeconds(now())
    return keyring.sign('logout+jwt', {
      iss: issuer,
      sub: subject,
      aud: clientId,
      iat,
      exp: iat + tokenSeconds,
      jti: id,
      events: { [logoutEvent]: {} },
      sid,
    })
  }

  async #fail(claim: ClaimedLogout, reason: string, isFinal: boolean): Promise<void> {
    const isGivenUp = await this.#deps.deliveries.failed(claim, reason, isFinal)
    this.#report(isGivenUp ? 'given_up' : 'retried', claim, reason)
  }

  #report(outcome: keyof typeof logLines, claim: ClaimedLogout, reason?: string): void {
    const { id: logoutId, clientId, sid, attempts } = claim
    const { level, message } = logLines[outcome]
    this.#deps.metrics.logouts.inc({ outcome })
    activeSpan()?.set({ 'signet.outcome': outcome })
    this.#deps.log[level]({ logoutId, clientId, sid, attempts, reason }, message)
  }
}

const logLines = {
  delivered: { level: 'info', message: 'logout notification delivered' },
  retried: { level: 'warn', message: 'logout notification not accepted, will be retried' },
  given_up: { level: 'error', message: 'logout notification given up' },
} as const

/** Errors of sockets name addresses, which operators may see; the token is in none of them. */
function reasonOf(error: unknown): string {
  const { message = '', cause } = error instanceof Error ? error : new Error('unknown')
  const text =
    message === 'The operation was aborted' && cause instanceof Error ? cause.message : message
  return text.replace(/[\s\p{C}]+/gu, ' ').slice(0, 300)
}
