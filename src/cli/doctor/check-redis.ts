import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import type { Config } from '../../config/config.ts'
import { openConfiguredRedis } from '../../server/open-runtime.ts'
import type { RedisClient } from '../../stores/redis.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

const patienceMilliseconds = 3000

/** Checks that Redis answers in time and evicts nothing. */
export async function checkRedis(config: Config): Promise<Finding[]> {
  const redis = await openConfiguredRedis(config)
  if (!redis) return [ok('redis', 'not used: PostgreSQL answers every revocation check')]
  try {
    const problem = await unreachable(redis)
    if (problem !== undefined) {
      const message = `does not answer: ${problem}`
      const advice = 'The server uses PostgreSQL alone, which is slower. Check Redis and REDIS_URL.'
      return [failed('redis', message, advice)]
    }
    const info = await redis.info()
    const read = (name: string) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? ''
    return [
      version(read),
      role(read),
      eviction(read),
      await roundTrip(redis, config),
      ...(redis instanceof Cluster ? [cluster(redis)] : []),
    ]
  } finally {
    redis.disconnect()
  }
}

/** @returns why Redis cannot be reached; undefined when it is ready */
async function unreachable(redis: RedisClient): Promise<string | undefined> {
  let problem = `no connection within ${patienceMilliseconds / 1000} s`
  redis.on('error', (error: Error & { lastNodeError?: Error }) => {
    problem = (error.lastNodeError ?? error).message || problem
  })
  const end = Date.now() + patienceMilliseconds
  while (redis.status !== 'ready' && Date.now() < end) await sleep(20)
  return redis.status === 'ready' ? undefined : problem
}

type Read = (name: string) => string

function version(read: Read): Finding {
  const number = read('valkey_version') || read('redis_version')
  const name = `${read('valkey_version') ? 'Valkey' : 'Redis'} ${number}`
  return Number.parseInt(number, 10) >= 6
    ? ok('redis', `${name} answers`)
    : warning('redis', `${name} is old`, 'The tests run on Redis 6.2 or newer: upgrade it.')
}

function cluster(redis: Cluster): Finding {
  const nodes = redis.nodes('master').length
  return ok('redis cluster', `used as a cluster with ${nodes} node(s) that accept writes`)
}

function role(read: Read): Finding {
  return read('role') === 'slave'
    ? failed(
        'redis role',
        'this is a replica, which accepts no writes',
        'Point REDIS_URL at the primary.',
      )
    : ok('redis role', 'it accepts writes')
}

/** The server ignores a Redis that evicts: without its revocation, a revoked token would be valid again. */
function eviction(read: Read): Finding {
  const policy = read('maxmemory_policy')
  const advice = 'Run CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.'
  if (policy === 'noeviction') return ok('redis eviction', 'noeviction')
  return read('maxmemory') === '0'
    ? warning('redis eviction', `${policy}, which is harmless only while maxmemory is 0`, advice)
    : failed('redis eviction', `${policy} may evict revocations, so Redis is not used`, advice)
}

async function roundTrip(redis: RedisClient, config: Config): Promise<Finding> {
  const limit = config.REDIS_TIMEOUT_MILLISECONDS
  const times: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const requested = performance.now()
    await redis.ping()
    times.push(performance.now() - requested)
  }
  const median = times.sort((a, b) => a - b)[2] ?? 0
  const message = `${median.toFixed(1)} ms, of the ${limit} ms that REDIS_TIMEOUT_MILLISECONDS allows`
  return median > limit / 2
    ? warning('redis round trip', message, 'Move Redis closer, or raise the limit.')
    : ok('redis round trip', message)
}
