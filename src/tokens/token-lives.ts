import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'

interface Dependencies {
  readonly db: Knex
  readonly now: Now
  /** How long a revocation must be remembered for the tokens that this instance issues. */
  readonly rememberSeconds: number
}

/** How often an instance says what it issues. */
export const noteSeconds = 60

/**
 * How long the tokens live that are out there: other instances may be configured otherwise, and this
 * one may have been. The log remembers revocations for as long as the greatest of these lives.
 */
export class TokenLives {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Said before the first token is issued and then each minute; forgotten when the last has expired. */
  async note(): Promise<void> {
    const { db, now, rememberSeconds } = this.#deps
    const until = later(now(), rememberSeconds + 2 * noteSeconds)
    await db.raw(
      `INSERT INTO access_token_lives (seconds, until) VALUES (?, ?)
       ON CONFLICT (seconds) DO UPDATE
         SET until = GREATEST(access_token_lives.until, excluded.until)`,
      [rememberSeconds, until],
    )
    await db('access_token_lives').where('until', '<', now()).delete()
  }
}
