import type { AuditTrail } from '../audit/audit-log.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
}

/** People end their own sessions, and with them their access tokens. */
export class UserSessions {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @returns whether the person had such a session */
  async end(userId: string, sid: string, ip: string): Promise<boolean> {
    const { families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const [ended] = await families.end(change, { sid, user_id: userId }, 'signed_out')
      if (ended === undefined) return false
      await audit.record({ event: 'session.revoked', userId, sid, ip }, change.trx)
      return true
    })
  }

  /**
   * Signs a browser out, and ends the sessions that began from it.
   * @returns whether the person was signed in with this browser
   */
  async endBrowser(userId: string, id: string, ip: string): Promise<boolean> {
    const { families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const ended = await families.endBrowsers(change, { id, user_id: userId }, 'signed_out')
      if (ended.userId === undefined) return false
      const detail = { browser_session: id, sessions: ended.sids.length }
      await audit.record({ event: 'session.revoked', userId, ip, detail }, change.trx)
      return true
    })
  }

  /**
   * Ends everything but one browser and the sessions that began from it.
   * @returns the number of ended sessions of clients
   */
  async endOthers(userId: string, browserSessionId: string, ip: string): Promise<number> {
    const { families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const which = { user_id: userId }
      const ended = await families.end(change, which, 'signed_out', { browserSessionId })
      const detail = { sessions: ended.length, kept: browserSessionId }
      await audit.record({ event: 'user.sessions_ended', userId, ip, detail }, change.trx)
      return ended.length
    })
  }

  /** @returns the number of ended sessions */
  async endAll(userId: string, ip: string): Promise<number> {
    const { families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const ended = await families.end(change, { user_id: userId }, 'signed_out')
      const detail = { sessions: ended.length }
      await audit.record({ event: 'user.sessions_ended', userId, ip, detail }, change.trx)
      return ended.length
    })
  }
}
