import { randomBytes } from 'node:crypto'
import type { Redis, Result } from 'ioredis'

/** A limit in a window of whole seconds, counted under a name of its own. */
export interface Rule {
  readonly policy: string
  readonly points: number
  readonly windowSeconds: number
}

/** A counter of one rule. */
export interface Point {
  readonly rule: Rule
  readonly key: string
}

/** The prefix of a rule's counters, in either store. */
export const prefixOf = ({ policy }: Rule): string => `throttle:${policy}`

/** Its key, in either store. */
export const nameOf = ({ rule, key }: Point): string => `${prefixOf(rule)}:${key}`

/** Points that were taken together. */
export interface TakenTogether {
  /**
   * Gives the points back; only the first call has an effect.
   * @param forgotten counters to delete with it, whatever they count
   */
  giveBack(forgotten?: readonly Point[]): Promise<unknown>
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** The number of keys, then: the counter that must not exist, the receipt, the counters to take from. */
    takePoints(...args: (string | number)[]): Result<0 | 1, Context>
    /** The number of keys, then: the receipt, the counters to delete, the counters to give back to. */
    givePointsBack(...args: (string | number)[]): Result<null, Context>
  }
}

/** Lifetime of a receipt: no password check takes longer. */
const receiptSeconds = 60

/** ARGV: the lifetime of the receipt; then for each counter its limit and its window. */
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

/** ARGV: the number of counters to delete. */
const givePointsBack = `
  for i = 2, ARGV[1] + 1 do redis.call('DEL', KEYS[i]) end
  if redis.call('DEL', KEYS[1]) == 0 then return end
  for i = ARGV[1] + 2, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECR', KEYS[i]) end
  end`

/** To be called once for each connection. */
export function defineScripts(redis: Redis): void {
  redis.defineCommand('takePoints', { lua: takePoints })
  redis.defineCommand('givePointsBack', { lua: givePointsBack })
}

/**
 * Takes a point of each counter in one round trip, or none at all: when one of them would reach its
 * limit, and while there is the counter `unless`.
 * @throws the error of ioredis; points that a late Redis takes nevertheless are given back
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
