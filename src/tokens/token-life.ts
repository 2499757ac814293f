const mostSpreadSeconds = 60
const leastLifeSeconds = 30

/**
 * The life of one token: up to a tenth shorter than what is configured, and at most a minute, or a
 * fleet that started together would refresh together for ever. Never longer, since that life is
 * promised to those who remember revocations and retired keys; and never below what a variable allows.
 * @param jti a random UUID, whose first 32 bits say how much shorter
 */
export function tokenLife(seconds: number, jti: string): number {
  const spread = Math.min(seconds / 10, mostSpreadSeconds, seconds - leastLifeSeconds)
  if (spread < 1) return seconds
  const fraction = Number.parseInt(jti.slice(0, 8), 16) / 2 ** 32
  return seconds - Math.floor(fraction * (Math.floor(spread) + 1))
}
