import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SignJWT } from 'jose'
import type { TestKeys } from './testing-keys.ts'
import type { TestRevocations } from './testing-revocations.ts'

interface Dependencies {
  readonly issuer: string
  readonly keys: TestKeys
  readonly revocations: TestRevocations
  /** Since the epoch. */
  readonly seconds: () => number
  readonly jwksMaxAgeSeconds: number
}

interface PublicAnswer {
  readonly body: string
  readonly type: string
  readonly maxAgeSeconds: number
  readonly etag: string
}

type Route = (parameters: URLSearchParams, gone: AbortSignal) => Promise<PublicAnswer | undefined>

/** Serves what Signet publishes: RFC 8414 metadata, RFC 7517 keys, and the feed. */
export function testRoutes(
  deps: Dependencies,
): (req: IncomingMessage, res: ServerResponse) => void {
  const { issuer, jwksMaxAgeSeconds, keys } = deps
  const routes = new Map<string, Route>([
    [
      '/.well-known/oauth-authorization-server',
      async () => json(metadata(issuer), jwksMaxAgeSeconds),
    ],
    ['/.well-known/jwks.json', async () => json(keys.jwks, jwksMaxAgeSeconds)],
    ['/.well-known/revocations', (parameters, gone) => feed(deps, parameters, gone)],
  ])
  const handle = async (req: IncomingMessage, res: ServerResponse) => {
    const [path = '', query] = (req.url ?? '').split('?', 2)
    const route = routes.get(path)
    if (!route) return void res.writeHead(404).end()
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      return void res.writeHead(405, { allow: 'GET, HEAD' }).end()
    }
    const leaving = new AbortController()
    res.once('close', () => leaving.abort())
    const answer = await route(new URLSearchParams(query), leaving.signal)
    if (answer) send(req, res, answer)
    else res.writeHead(400).end()
  }
  return (req, res) => void handle(req, res).catch(() => res.destroy())
}

const metadata = (issuer: string) => ({
  issuer,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  response_types_supported: [],
  grant_types_supported: [],
  revocations_uri: `${issuer}/.well-known/revocations`,
  revocations_staleness_seconds: 10,
})

/** @returns undefined for parameters that the server rejects */
async function feed(
  { issuer, keys, revocations, seconds }: Dependencies,
  parameters: URLSearchParams,
  gone: AbortSignal,
): Promise<PublicAnswer | undefined> {
  const [since, secondSince] = parameters.getAll('since')
  const [wait = '0', secondWait] = parameters.getAll('wait')
  if (secondSince !== undefined || secondWait !== undefined || !/^\d{1,5}$/.test(wait))
    return undefined
  await revocations.news(since, Number(wait), gone)
  const list = revocations.list(since, seconds())
  const { kid, privateKey } = keys.signer
  const body = await new SignJWT({ iss: issuer, iat: seconds(), ...list })
    .setProtectedHeader({ alg: 'RS256', typ: 'revocations+jwt', kid })
    .sign(privateKey)
  const etag = `W/${tag(JSON.stringify([list.since === undefined, list.revoked]))}`
  return { body, etag, type: 'application/jwt', maxAgeSeconds: 1 }
}

function json(document: unknown, maxAgeSeconds: number): PublicAnswer {
  const body = JSON.stringify(document)
  return { body, etag: tag(body), type: 'application/json; charset=utf-8', maxAgeSeconds }
}

const tag = (content: string): string =>
  `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`

function send(req: IncomingMessage, res: ServerResponse, answer: PublicAnswer): void {
  const { body, etag, type, maxAgeSeconds } = answer
  res.setHeader('etag', etag)
  res.setHeader('cache-control', `public, max-age=${maxAgeSeconds}`)
  const known = (req.headers['if-none-match'] ?? '').split(',').map((one) => one.trim())
  if (known.some((one) => one === '*' || one.replace(/^W\//, '') === etag.replace(/^W\//, ''))) {
    return void res.writeHead(304).end()
  }
  res.setHeader('content-type', type)
  res.end(req.method === 'HEAD' ? undefined : body)
}
