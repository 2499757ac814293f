import { Redis } from 'ioredis'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../../tools/eventually.ts'
import { type RedisServer, startRedisServer } from '../../../tools/redis-server.ts'
import type { Closing } from '../server/closing.ts'

/** Three nodes that take writes, and a replica of each. */
export interface RedisCluster {
  /** As in REDIS_URL. */
  readonly urls: string
  readonly nodes: readonly RedisServer[]
  /** The nodes that take writes now. */
  masters(): Promise<RedisServer[]>
  /** Resolves when all slots are served and every replica follows. */
  well(): Promise<void>
}

const slots = 16_384
const masterCount = 3
/** Further nodes are replicas of the first ones. */
const nodeCount = 6

export async function startRedisCluster(closing: Closing): Promise<RedisCluster> {
  const nodes: (RedisServer & { readonly bus: number })[] = []
  for (let at = 0; at < nodeCount; at += 1) {
    const bus = await freePort()
    const settings = {
      'cluster-enabled': 'yes',
      'cluster-announce-ip': '127.0.0.1',
      'cluster-port': String(bus),
      'cluster-node-timeout': '2000',
    }
    const node = await startRedisServer({ settings })
    closing.add(() => node.close())
    nodes.push(Object.assign(node, { bus }))
  }
  const [first, ...others] = nodes
  if (!first) throw new Error('no node was started')
  for (const { port, bus } of others) await call(first, 'CLUSTER', 'MEET', '127.0.0.1', port, bus)
  const masters = nodes.slice(0, masterCount)
  for (const [at, node] of masters.entries()) {
    const from = Math.ceil((slots * at) / masterCount)
    const to = Math.ceil((slots * (at + 1)) / masterCount) - 1
    await call(node, 'CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  const knowAll = async () =>
    (await Promise.all(nodes.map((node) => call(node, 'CLUSTER', 'INFO')))).every((info) =>
      info.includes(`cluster_known_nodes:${nodeCount}`),
    )
  await eventually(knowAll, 'the nodes of the cluster know each other', 60)
  for (const [at, node] of nodes.slice(masterCount).entries()) {
    const id = await call(masters[at] ?? first, 'CLUSTER', 'MYID')
    await call(node, 'CLUSTER', 'REPLICATE', id)
  }
  const well = () => eventually(() => isWell(nodes), 'the cluster is well', 60)
  await well()
  const areMasters = () =>
    Promise.all(nodes.map(async (node) => /^role:master/m.test(await replication(node))))
  return {
    urls: masters.map(({ url }) => url).join(','),
    nodes,
    well,
    async masters() {
      const are = await areMasters()
      return nodes.filter((_, at) => are[at])
    },
  }
}

async function isWell(nodes: readonly RedisServer[]): Promise<boolean> {
  const states = await Promise.all(
    nodes.map(async (node) => {
      const isUp = (await call(node, 'CLUSTER', 'INFO')).includes('cluster_state:ok')
      return isUp && /^(role:master|master_link_status:up)/m.test(await replication(node))
    }),
  ).catch(() => [false])
  return states.every(Boolean)
}

/** Empty while the node is away. */
const replication = (node: RedisServer) => call(node, 'INFO', 'replication').catch(() => '')

async function call(
  { url }: RedisServer,
  command: string,
  ...values: readonly (string | number)[]
): Promise<string> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2000,
    commandTimeout: 2000,
    enableReadyCheck: false,
    retryStrategy: null,
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return String(await redis.call(command, ...values))
  } finally {
    redis.disconnect()
  }
}
