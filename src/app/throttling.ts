import { GuessLimiter } from '../authentication/guess-limiter.ts'
import { sealedSecret } from '../keyring/sealing.ts'
import { CounterKeys } from '../throttle/counter-keys.ts'
import { Counters } from '../throttle/counters.ts'
import { limits as defaultLimits, delayLimits } from '../throttle/limits.ts'
import { Throttle } from '../throttle/throttle.ts'
import type { Runtime } from './runtime.ts'

/** Builds the limits for requests and for guesses, which share their counters. */
export async function createThrottling(runtime: Runtime) {
  const { config, db, pool, redis, masterKeys, now, log } = runtime
  const secret = await sealedSecret(db, masterKeys, 'throttle', now())
  const counters = new Counters({
    pool,
    redis,
    onAway: (away, reason) =>
      away
        ? log.warn({ reason }, 'postgres counts attempts instead of redis')
        : log.info({ reason }, 'redis counts attempts'),
  })
  const keys = new CounterKeys(secret)
  const limits = { ...defaultLimits, ...runtime.limits }
  const throttle = new Throttle({ counters, keys, limits })
  const guesses = new GuessLimiter({
    counters,
    keys,
    secret,
    now,
    sources: limits.signIn,
    delays: runtime.delays ?? delayLimits,
    waitSeconds: config.PASSWORD_QUEUE_SECONDS,
  })
  return { throttle, guesses }
}
