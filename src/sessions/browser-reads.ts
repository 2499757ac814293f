import type { Now } from '../clock.ts'
import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import type { BrowserSessionRow } from './browser-session.ts'

/** A live browser session with what is known about its person. */
type LiveBrowserRow = BrowserSessionRow & {
  must_change_password: boolean
  is_unverified: boolean
  password_changed_at: Date
  locale: string | null
}

const live = statement(
  'browser_sessions',
  `SELECT browser.id, user_id, version, browser.created_at, auth_time, amr, acr, authenticated_for,
          chosen_for, answered, remembered, idle_expires_at, expires_at, revoked_at, revoked_reason, ip,
          user_agent, must_change_password, email IS NOT NULL AND email_verified_at IS NULL AS is_unverified,
          password_changed_at, locale
     FROM browser_sessions AS browser JOIN users ON users.id = user_id
    WHERE browser.id = ANY ($1::uuid[]) AND revoked_at IS NULL AND expires_at > $2
      AND idle_expires_at > $2 AND users.disabled_at IS NULL`,
)

/** Reads the sessions of cookies. Requests that arrive together share a round trip. */
export class BrowserReads {
  readonly #statements: Statements
  readonly #now: Now
  /** A batch starts after its items were added, so each sees everything that was committed before it. */
  readonly #batches = new BatchQueue<string, LiveBrowserRow | undefined>({
    run: (ids) => this.#read(ids),
    // A read can be repeated in halves, unless PostgreSQL itself fails.
    isAtomicFailure: (error) => !isUnavailable(error),
  })

  constructor(statements: Statements, now: Now) {
    this.#statements = statements
    this.#now = now
  }

  /** @returns undefined if the session has ended, or its person is disabled */
  find(id: string): Promise<LiveBrowserRow | undefined> {
    return this.#batches.add(id)
  }

  async #read(ids: readonly string[]): Promise<(LiveBrowserRow | undefined)[]> {
    const rows = await this.#statements.run<LiveBrowserRow>(live, [ids, this.#now()])
    const byId = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id) => byId.get(id))
  }
}
