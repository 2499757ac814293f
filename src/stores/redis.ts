import { Cluster, Redis } from 'ioredis'

export type RedisClient = Redis | Cluster

/** How long a Redis that went away is left alone before the next try, in milliseconds. */
const retryAfter = (attempt: number) => Math.min(50 * 2 ** attempt, 2000)

/**
 * A connection on which something was asked and nothing at all has come for so long is given up. Its
 * other end may have gone without a word, and TCP would go on trying for a quarter of an hour.
 */
const longestSilence = (timeoutMilliseconds: number) => Math.max(5000, 4 * timeoutMilliseconds)

export interface RedisOptions {
  /** One, or several of the nodes of a cluster. */
  readonly urls: readonly string[]
  readonly timeoutMilliseconds: number
  readonly keyPrefix: string
}

/**
 * Opens Redis, or a cluster when there are several URLs. Connecting goes on in the background and
 * nothing is queued meanwhile: Redis only ever answers faster, PostgreSQL answers too.
 */
export function openRedis(options: RedisOptions): RedisClient {
  const redis = connect(options)
  // Without a listener ioredis writes to the console. Whoever asks something hears of what it meets.
  redis.on('error', () => undefined)
  return redis
}

function connect({ urls, timeoutMilliseconds, keyPrefix }: RedisOptions): RedisClient {
  const options = {
    keyPrefix,
    connectTimeout: 2000,
    commandTimeout: timeoutMilliseconds,
    socketTimeout: longestSilence(timeoutMilliseconds),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    connectionName: 'signet',
  }
  if (urls.length > 1) {
    return new Cluster([...urls], {
      clusterRetryStrategy: retryAfter,
      enableOfflineQueue: false,
      keyPrefix,
      redisOptions: { ...options, ...credentials(urls[0] ?? '') },
    })
  }
  return new Redis(urls[0] ?? '', { ...options, retryStrategy: retryAfter })
}

/** The nodes that a cluster names have only an address: they share the credentials of the first URL. */
function credentials(url: string): { username?: string; password?: string; tls?: object } {
  const { username, password, protocol } = new URL(url)
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}
