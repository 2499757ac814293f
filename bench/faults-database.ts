import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '../tools/tcp-proxy.ts'
import { ask, summary } from './faults-answers.ts'
import { type Finding, observe } from './faults-finding.ts'
import type { FloodServer } from './flood-server.ts'

export async function hangingDatabase(
  server: FloodServer,
  proxy: TcpProxy,
  isNew: boolean,
): Promise<Finding> {
  const what = isNew ? 'PostgreSQL hangs, also for new connections' : 'PostgreSQL hangs'
  return observe(server, `${what}: 4,000 introspections at once`, async () => {
    proxy.weather = 'hang'
    if (isNew) proxy.cut()
    const [answers, keys] = await Promise.all([
      Promise.all(Array.from({ length: 4_000 }, () => ask(server.url))),
      sleep(500).then(() => fetch(`${server.url}/.well-known/jwks.json`)),
    ])
    proxy.weather = 'fine'
    return `${summary(answers)}; JWKS ${keys.status}`
  })
}
