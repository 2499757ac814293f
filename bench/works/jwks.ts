import { asked } from '../contest.ts'
import { type OpenWork, processesOf, type Setup, startBench } from '../setup.ts'
import { openPeer } from './peer.ts'

const path = '/.well-known/jwks.json'

/** The keys, for verifiers that have none yet, and for those that ask whether theirs are still good. */
export const jwks: OpenWork = (setup) => open(setup, 200)
export const jwksUnchanged: OpenWork = (setup) => open(setup, 304)

async function open(setup: Setup, expects: 200 | 304) {
  const limit = startBench('limits/koa-document.mjs')
  const peers = expects === 200 ? [await openPeer(setup, 'oidc-provider')] : []
  const [build] = setup.builds
  const response = await fetch((build?.server.url ?? '') + path)
  const { port } = await limit.ask<{ port: number }>({
    path,
    body: await response.text(),
    headers: headersOf(response),
  })
  const job = { method: 'GET', connections: 64, expects }
  const known = async (url: string) => {
    const etag = await fetch(url).then(({ headers }) => headers.get('etag'))
    return expects === 304 && etag ? { 'if-none-match': etag } : {}
  }
  const ours = setup.builds.map(async (one) => {
    const url = one.server.url + path
    const processes = processesOf(setup, one.server.child)
    return asked(one, setup.generator, { ...job, url, headers: await known(url) }, processes)
  })
  const bare = `http://127.0.0.1:${port}${path}`
  return {
    name: expects === 200 ? 'jwks' : 'jwks_304',
    title: expects === 200 ? 'JWKS' : 'JWKS, unchanged (304)',
    limit: 'bare Koa and router with the same bytes',
    goal: '≥ 85 %',
    contestants: [
      ...(await Promise.all(ours)),
      asked(
        { name: 'Koa and router', role: 'limit' },
        setup.generator,
        { ...job, url: bare, headers: await known(bare) },
        { server: limit.pid },
      ),
      ...peers.map((peer) =>
        asked(
          { name: peer.name, role: 'peer' },
          setup.generator,
          { ...job, url: peer.jwksUrl, headers: {} },
          peer.processes,
        ),
      ),
    ],
    close: async () => {
      for (const child of [limit, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}

/** All that the server sends of its own accord; Node adds the rest. */
function headersOf({ headers }: Response): Record<string, string> {
  const byNode = ['connection', 'keep-alive', 'date', 'content-length', 'transfer-encoding']
  return Object.fromEntries([...headers].filter(([name]) => !byNode.includes(name)))
}
