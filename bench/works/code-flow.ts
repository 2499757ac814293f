import { hash, randomBytes } from 'node:crypto'
import { browserCookie } from '../../src/http/cookies.ts'
import { browserCookies } from '../browsers.ts'
import { asked } from '../contest.ts'
import { form, type OpenWork, processesOf, startBench, threads } from '../setup.ts'
import { addWebApp } from '../signet.ts'
import { openPeer } from './peer.ts'

const connections = 64
/** Each of another person. */
const browsers = 1000
const redirectUri = 'https://app.bench.example/callback'
const verifier = randomBytes(32).toString('base64url')

const before = `${new URLSearchParams({
  grant_type: 'authorization_code',
  redirect_uri: redirectUri,
  code_verifier: verifier,
})}&code=`

/** A request that no page is shown for: RFC 7636, OpenID Connect Core §3.1.2.1. */
const authorizationOf = (clientId: string) =>
  new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid read',
    prompt: 'none',
    state: randomBytes(16).toString('base64url'),
    nonce: randomBytes(16).toString('base64url'),
    code_challenge: hash('sha256', verifier, 'base64url'),
    code_challenge_method: 'S256',
  })

interface Target {
  readonly authorizeUrl: string
  readonly tokenUrl: string
  readonly clientId: string
  readonly basic: string
  /** `Cookie` of browsers in which people are signed in; in turn. */
  readonly cookies: readonly string[]
}

/** The two requests of a unit: the first brings the code that the second redeems. */
const jobOf = ({ authorizeUrl, tokenUrl, clientId, basic, cookies }: Target) => ({
  method: 'POST',
  connections,
  url: tokenUrl,
  headers: { ...form, authorization: basic },
  codes: { url: `${authorizeUrl}?${authorizationOf(clientId)}`, cookies, before },
})

/** A browser that is signed in comes from an app: a code without a page, and the tokens for it. */
export const codeFlow: OpenWork = async (setup) => {
  const { generator } = setup
  const limit = startBench('limits/koa-tokens.mjs', threads)
  const { port } = await limit.ask<{ port: number }>({})
  const peers = [
    await openPeer(setup, 'oidc-provider'),
    await openPeer(setup, 'oidc-provider', { onPostgres: true }),
  ]
  const ours = setup.builds.map(async (build) => {
    const { installation, server } = build
    const target = {
      authorizeUrl: `${server.url}/oauth/authorize`,
      tokenUrl: `${server.url}/oauth/token`,
      ...(await addWebApp(installation, redirectUri)),
      cookies: (await browserCookies(installation, browsers)).map(
        (one) => `${browserCookie}=${one}`,
      ),
    }
    return asked(build, generator, jobOf(target), processesOf(setup, server.child))
  })
  const theirs = peers.map(async (peer) => {
    const target = { ...peer, clientId: 'app', cookies: await peer.seedBrowsers(browsers) }
    return asked({ name: peer.name, role: 'peer' }, generator, jobOf(target), peer.processes)
  })
  const bare = {
    authorizeUrl: `http://127.0.0.1:${port}/authorize`,
    tokenUrl: `http://127.0.0.1:${port}/token`,
    clientId: 'app',
    basic: '-',
    cookies: ['session=none'],
  }
  return {
    name: 'code_flow',
    title: '`authorization_code`, signed in',
    limit: 'bare Koa that redirects, and signs two tokens',
    goal: '≥ 3× oidc-provider on PostgreSQL',
    contestants: [
      ...(await Promise.all(ours)),
      asked({ name: 'Koa with two signatures', role: 'limit' }, generator, jobOf(bare), {
        server: limit.pid,
      }),
      ...(await Promise.all(theirs)),
    ],
    close: async () => {
      for (const child of [limit, ...peers.map((peer) => peer.child)]) await child.close()
    },
  }
}
