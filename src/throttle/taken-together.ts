import { randomBytes } from 'node:crypto'
import type { Redis, Result } from 'ioredis'
import { nameOf, type Rule } from './limiters.ts'

/** A counter of one rule. */
export interface Point {
  readonly rule: Rule
  readonly key: string
}

/** Points that were taken together. */
export interface TakenTogether {
  /**
   * Once, however often it is asked.
   * @param forgotten counters that are over with it, whatever they count
   */
  giveBack(forgotten?: readonly Point[]): Promise<unknown>
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Their number, then the keys: what must not be there, the receipt, and the counters. */
    takePoints(...args: (string | number)[]): Result<0 | 1, Context>
    /** Their number, then the keys: the receipt, counters to forget, and those to give back to. */
    givePointsBack(...args: (string | number)[]): Result<null, Context>
  }
}

/** How long a receipt is kept: nobody waits longer for one password. */
const receiptSeconds = 60

/** ARGV: how long a receipt is kept; of each counter the points of its limit and its window. */
const takePoints = `
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
  for i = 3, #KEYS do
    local points = tonumber(redis.call('GET', KEYS[i]) or '0')
    if points + 1 >= tonumber(ARGV[2 * i - 4]) then return 0 end
  end
  for i = 3, #KEYS do
    redis.call('SET', KEYS[i], 0, 'EX', ARGV[2 * i - 3], 'NX')
    redis.call('INCR', KEYS[i])
  end
  redis.call('SET', KEYS[2], 1, 'EX', ARGV[1])
  return 1`

/** ARGV: how many of the counters are to be forgotten. */
const givePointsBack = `
  for i = 2, ARGV[1] + 1 do redis.call('DEL', KEYS[i]) end
  if redis.call('DEL', KEYS[1]) == 0 then return end
  for i = ARGV[1] + 2, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECR', KEYS[i]) end
  end`

/** Called once for each connection. */
export function defineScripts(redis: Redis): void {
  redis.defineCommand('takePoints', { lua: takePoints })
  redis.defineCommand('givePointsBack', { lua: givePointsBack })
}

/**
 * Takes a point of each in one round trip, or none: none where a limit would be reached by it, and
 * none while there is anything at `unless`.
 * @throws what ioredis throws; what a late Redis takes all the same is given back
 */
export async function takeTogether(
  redis: Redis,
  points: readonly Point[],
  unless: Point,
): Promise<TakenTogether | undefined> {
  const receipt = `throttle:receipt:${randomBytes(16).toString('base64url')}`
  const giveBack = (forgotten: readonly Point[] = []) => {
    const keys = [receipt, ...forgotten.map(nameOf), ...points.map(nameOf)]
    return redis.givePointsBack(keys.length, ...keys, forgotten.length)
  }
  const keys = [nameOf(unless), receipt, ...points.map(nameOf)]
  const limits = points.flatMap(({ rule }) => [rule.points, rule.windowSeconds])
  try {
    const taken = await redis.takePoints(keys.length, ...keys, receiptSeconds, ...limits)
    return taken === 1 ? { giveBack } : undefined
  } catch (error) {
    giveBack().catch(() => undefined)
    throw error
  }
}
