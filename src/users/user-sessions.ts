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
