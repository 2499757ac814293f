import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'

interface Dependencies {
  readonly db: Knex
  readonly now: Now
  /** How long a revocation must be kept for the tokens that this instance issues. */
  readonly rememberSeconds: number
}

/** How often an instance records the lifetime of its tokens. */
export const noteSeconds = 60

/**
 * The lifetimes of the tokens that were issued: other instances may be configured differently, as this
 * one may have been. The log keeps revocations for as long as the greatest of them.
 */
export class TokenLives {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Recorded before the first token is issued and then every minute; deleted once the last has expired. */
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

const mostSpreadSeconds = 60
const leastLifeSeconds = 30

/**
 * The lifetime of one token: shorter than configured by up to a tenth, and at most a minute; otherwise
 * clients that started together would refresh together for ever. Never longer, because revocations and
 * retired keys are kept for the configured lifetime; and never below the smallest one of a variable.
 * @param jti a random UUID, whose first 32 bits decide how much shorter
 */
export function tokenLife(seconds: number, jti: string): number {
  const spread = Math.min(seconds / 10, mostSpreadSeconds, seconds - leastLifeSeconds)
  if (spread < 1) return seconds
  const fraction = Number.parseInt(jti.slice(0, 8), 16) / 2 ** 32
  return seconds - Math.floor(fraction * (Math.floor(spread) + 1))
}
