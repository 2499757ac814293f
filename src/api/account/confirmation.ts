import type { FactsFor, Kind } from '../../throttle/limits.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import { UserError } from '../../users/user.ts'

/**
 * Does what a signed-in person confirms with their password. A wrong one is a guess of whoever holds
 * the session, and all places that ask count together; a right one uses up nothing.
 * @throws Throttled before `work` was tried
 */
export const confirmed = <T>(
  throttle: Throttle,
  person: string,
  work: () => Promise<T>,
): Promise<T> => byPassword(throttle, 'passwordConfirmation', { person }, work)

/**
 * Counts the wrong passwords of `work` by this limit.
 * @throws Throttled before `work` was tried
 */
export async function byPassword<K extends Kind, T>(
  throttle: Throttle,
  limit: K,
  facts: FactsFor<K>,
  work: () => Promise<T>,
): Promise<T> {
  let wrong: UserError | undefined
  const done = await throttle.guess(limit, facts, async () => {
    try {
      return { result: await work() }
    } catch (error) {
      if (!(error instanceof UserError && error.reason === 'wrong_password')) throw error
      wrong = error
      return undefined
    }
  })
  if (!done) throw wrong
  return done.result
}
