import { asked } from '../contest.ts'
import { type Build, form, type OpenWork, processesOf, type Setup, startBench } from '../setup.ts'
import { serve } from '../signet.ts'
import { openPeer } from './peer.ts'

/** Without Redis the log of revocations in PostgreSQL is asked instead. */
export const introspection: OpenWork = (setup) => open(setup, true)
export const introspectionWithoutRedis: OpenWork = (setup) => open(setup, false)

async function open(setup: Setup, withRedis: boolean) {
  const limit = startBench('limits/koa-redis.mjs')
  const children = [limit]
  const job = { method: 'POST', connections: 64 }
  const contestants = []
  let answer: unknown
  let body = ''
  for (const build of setup.builds) {
    const { installation } = build
    const server = withRedis
      ? build.server
      : await serve(setup.stage, installation, { env: { REDIS_URL: 'none' } })
    if (!withRedis) children.push(server.child)
    const headers = { ...form, authorization: installation.basic }
    const url = `${server.url}/oauth/introspect`
    body = `token=${await freshToken(build)}`
    answer = await liveAnswer(url, headers, body)
    const processes = processesOf(setup, server.child)
    contestants.push(asked(build, setup.generator, { ...job, url, headers, body }, processes))
  }
  // It does not introspect its JWTs, so it is asked about an opaque token.
  const peer = await openPeer(setup, 'oidc-provider', { onPostgres: !withRedis })
  children.push(peer.child)
  const [opaque = ''] = await peer.seed(1)
  const proof = { ...form, authorization: peer.basic }
  await liveAnswer(peer.introspectionUrl, proof, `token=${opaque}`)
  contestants.push(
    asked(
      { name: `${peer.name} (opaque token)`, role: 'peer' },
      setup.generator,
      { ...job, url: peer.introspectionUrl, headers: proof, body: `token=${opaque}` },
      processesOf(setup, peer.child),
    ),
  )
  const { redisUrl } = setup.stage
  const { port } = await limit.ask<{ port: number }>({ redisUrl, answer })
  contestants.push(
    asked(
      { name: 'Koa with Redis', role: 'limit' },
      setup.generator,
      { ...job, url: `http://127.0.0.1:${port}/`, headers: form, body },
      { server: limit.pid },
    ),
  )
  return {
    name: withRedis ? 'introspection' : 'introspection_without_redis',
    title: withRedis ? 'introspection, live token' : 'the same without Redis',
    limit: 'bare Koa with one Redis round trip',
    goal: '≥ 60 %',
    contestants,
    close: async () => {
      for (const child of children) await child.close()
    },
  }
}

/** @throws Error when the token is not live: its answer would be shorter and cheaper */
async function liveAnswer(url: string, headers: Record<string, string>, body: string) {
  const response = await fetch(url, { method: 'POST', headers, body })
  const answer = (await response.json()) as { active?: boolean }
  if (!answer.active) throw new Error(`${url} does not know the token`)
  return answer
}

export async function freshToken({
  server,
  installation,
}: Pick<Build, 'server' | 'installation'>): Promise<string> {
  const response = await fetch(`${server.url}/oauth/token`, {
    method: 'POST',
    headers: { ...form, authorization: installation.basic },
    body: 'grant_type=client_credentials',
  })
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}
