import type { Now } from '../clock.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'
import type { RefreshFamilies } from './refresh-families.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly now: Now
}

/** Browsers that end in one transaction, each with the sessions that began from it. */
const browsersAtOnce = 100

/**
 * Ends browser sessions that have expired, as if the person had signed out: the sessions of clients that
 * began from them end as well, and the clients are notified. One that is merely idle stays, because a
 * client may be in use without its person coming back here.
 */
export const endExpiredBrowsers = ({ families, revocations, now }: Dependencies) => ({
  name: 'expired_browser_sessions',
  async dueSince(db: Db): Promise<Date | null> {
    const row = await db('browser_sessions')
      .whereNull('revoked_at')
      .where('expires_at', '<=', now())
      .orderBy('expires_at')
      .first('expires_at')
    return row?.expires_at ?? null
  },
  async sweep(): Promise<{ rows: number; done: boolean }> {
    const rows = await revocations.decide(async (change) => {
      const ids: string[] = await change
        .trx('browser_sessions')
        .whereNull('revoked_at')
        .where('expires_at', '<=', now())
        .orderBy('expires_at')
        .limit(browsersAtOnce)
        .forUpdate()
        .skipLocked()
        .pluck('id')
      for (const id of ids) await families.endBrowsers(change, { id }, 'expired')
      return ids.length
    })
    return { rows, done: rows < browsersAtOnce }
  },
})

/** Browser sessions that ended; those that expire are ended first. */
export const endedBrowserSessions: ExpiringRows = {
  table: 'browser_sessions',
  columns: ['revoked_at'],
}
