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
  /** Several URLs are a cluster anyway. */
  readonly isCluster?: boolean
}

/**
 * Opens Redis after asking it whether it is a cluster: a hosted one has a single URL, behind which any of
 * its nodes answers, and a client of one node would only be told to go elsewhere.
 */
export async function findRedis(options: RedisOptions): Promise<RedisClient> {
  const [url = '', ...others] = options.urls
  const isCluster = others.length > 0 || (await isClusterNode(url))
  return openRedis({ ...options, isCluster })
}

/** One that does not answer is not a cluster, as far as anybody knows. */
async function isClusterNode(url: string): Promise<boolean> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2000,
    commandTimeout: 1000,
    enableReadyCheck: false,
    retryStrategy: null,
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return (await redis.info('cluster')).includes('cluster_enabled:1')
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
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

function connect(wanted: RedisOptions): RedisClient {
  const { urls, timeoutMilliseconds, keyPrefix, isCluster = urls.length > 1 } = wanted
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
  if (isCluster) {
    const isEncrypted = urls[0]?.startsWith('rediss:')
    return new Cluster([...urls], {
      clusterRetryStrategy: retryAfter,
      // Certificates are for names, not for the addresses behind them.
      ...(isEncrypted && { dnsLookup: (name, found) => found(null, name) }),
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
