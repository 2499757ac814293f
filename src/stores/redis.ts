import { Cluster, type Command, Redis } from 'ioredis'
import { startSpan } from '../telemetry/spans.ts'

export type RedisClient = Redis | Cluster

/** The delay before the next connection attempt, in milliseconds. */
const retryAfter = (attempt: number) => Math.min(50 * 2 ** attempt, 2000)

/**
 * A connection that is silent for this long after a command is closed. Its other end may be gone without
 * notice, and TCP would keep trying for a quarter of an hour.
 */
const longestSilence = (timeoutMilliseconds: number) => Math.max(5000, 4 * timeoutMilliseconds)

interface RedisOptions {
  /** One URL, or several nodes of a cluster. */
  readonly urls: readonly string[]
  readonly timeoutMilliseconds: number
  readonly keyPrefix: string
  /** Default: true for several URLs. */
  readonly isCluster?: boolean
}

/**
 * Opens Redis after checking whether it is a cluster: a hosted cluster has a single URL, behind which any
 * node answers, and would redirect the commands of a single-node client.
 */
export async function findRedis(options: RedisOptions): Promise<RedisClient> {
  const [url = '', ...others] = options.urls
  const isCluster = others.length > 0 || (await isClusterNode(url))
  return openRedis({ ...options, isCluster })
}

/** False when it does not answer. */
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
 * Opens Redis, or a cluster. It connects in the background and queues no commands meanwhile, because
 * PostgreSQL can answer instead.
 */
export function openRedis(options: RedisOptions): RedisClient {
  const redis = connect(options)
  // Without a listener ioredis writes to the console. Each command reports its own error.
  redis.on('error', () => undefined)
  traceCommands(redis)
  return redis
}

/** Records the commands of sampled traces by name, without keys and values. */
function traceCommands(redis: RedisClient): void {
  const send = redis.sendCommand.bind(redis) as (...args: unknown[]) => unknown
  const recorded = (command: Command, ...others: unknown[]) => {
    const operation = command.name.toUpperCase()
    const span = startSpan(operation, {
      kind: 'client',
      attributes: { 'db.system.name': 'redis', 'db.operation.name': operation },
    })
    if (span) {
      command.promise.then(
        () => span.end(),
        (error) => {
          span.fail(error)
          span.end()
        },
      )
    }
    return send(command, ...others)
  }
  Object.assign(redis, { sendCommand: recorded })
}

function connect(requested: RedisOptions): RedisClient {
  const { urls, timeoutMilliseconds, keyPrefix, isCluster = urls.length > 1 } = requested
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
      // Certificates are for host names, not for addresses.
      ...(isEncrypted && { dnsLookup: (name, resolve) => resolve(null, name) }),
      enableOfflineQueue: false,
      keyPrefix,
      redisOptions: { ...options, ...credentials(urls[0] ?? '') },
    })
  }
  return new Redis(urls[0] ?? '', { ...options, retryStrategy: retryAfter })
}

/** Nodes that a cluster announces have only an address, so they use the credentials of the first URL. */
function credentials(url: string): { username?: string; password?: string; tls?: object } {
  const { username, password, protocol } = new URL(url)
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}
