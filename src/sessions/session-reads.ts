import type { Knex } from 'knex'
import type { BrowserSessionRow } from './browser-session.ts'
import type { SessionRow } from './session.ts'

/** A session of a client in any state, for operators. */
export const readSession = (db: Knex, sid: string): Promise<SessionRow | undefined> =>
  db<SessionRow>('refresh_families').where({ sid }).first()

/** A browser session in any state, for operators. */
export const readBrowserSession = (db: Knex, id: string): Promise<BrowserSessionRow | undefined> =>
  db<BrowserSessionRow>('browser_sessions').where({ id }).first()
