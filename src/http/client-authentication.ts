import type { IncomingMessage } from 'node:http'
import type { AuditLog } from '../audit/audit-log.ts'
import { isPublic, usesSecret } from '../clients/client.ts'
import type { ClientAssertions } from '../clients/client-assertions.ts'
import type { CachedClient } from '../clients/client-cache.ts'
import { matchesAny } from '../clients/client-secrets.ts'
import type { Clients } from '../clients/clients.ts'
import { OAuthError } from '../oauth/error.ts'
import { formDecode, type Params } from '../oauth/params.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { Middleware } from './context.ts'

interface Dependencies {
  readonly clients: Clients
  readonly assertions: ClientAssertions
  readonly throttle: Throttle
  readonly audit: AuditLog
}

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client presents exactly one proof, or none when it is public. */
type Credentials =
  | { readonly method: 'secret'; readonly id: string; readonly secret: string }
  | { readonly method: 'assertion'; readonly id: string; readonly assertion: string }
  | { readonly method: 'none'; readonly id: string }

/**
 * RFC 6749 §2.3 and RFC 7523 §2.2. An unknown client, a wrong secret and a wrong method get the same answer
 * in the same time, so that nobody learns which clients exist. The credentials are checked before failures
 * are counted: the right ones are accepted however many wrong ones came from the same address. That is safe,
 * because a secret has 256 random bits, and cheap, because verifying an assertion costs less than signing a token.
 */
export function authenticateClient({
  clients,
  assertions,
  throttle,
  audit,
}: Dependencies): Middleware {
  return async (ctx, next) => {
    const credentials = readCredentials(authorizationHeaders(ctx.req), ctx.state.params)
    ctx.state.facts.clientId = credentials.id
    const facts = { client: credentials.id, ip: ctx.state.ip }
    let registered = await clients.find(credentials.id)
    let refusal = await check(registered, credentials, assertions)
    if (refusal !== undefined && registered?.isCached) {
      // A secret that another instance has just issued is accepted at once. And every refusal costs one
      // query: a faster one would reveal that the client exists.
      registered = await clients.findAnew(credentials.id)
      refusal = await check(registered, credentials, assertions)
    }
    if (!registered || refusal !== undefined) {
      await throttle.countFailure('clientAuthentication', facts)
      await audit.record({
        event: 'client.authentication_failed',
        clientId: credentials.id,
        ip: ctx.state.ip,
        detail: { reason: refusal },
      })
      throw failed(refusal)
    }
    ctx.state.client = registered.client
    ctx.state.isProven = !isPublic(registered.client)
    return next()
  }
}

/** For endpoints at which a client id, which anyone may know, is not enough: RFC 7662 §2.1. */
export const confidentialOnly: Middleware = (ctx, next) => {
  if (isPublic(ctx.state.client)) throw failed('a public client')
  return next()
}

/** @returns the reason of the refusal, for the log; undefined when the credentials are right */
async function check(
  registered: CachedClient | undefined,
  credentials: Credentials,
  assertions: ClientAssertions,
): Promise<string | undefined> {
  if (credentials.method === 'secret') {
    const digests = registered && usesSecret(registered.client) ? registered.secretDigests : []
    if (matchesAny(credentials.secret, digests)) return undefined
    return registered ? 'wrong secret' : 'unknown client'
  }
  if (!registered) return 'unknown client'
  if (credentials.method === 'assertion')
    return assertions.check(registered.client, credentials.assertion)
  return isPublic(registered.client) ? undefined : 'no credentials'
}

/** Every Authorization header: of two, Node would drop one, and a proxy on the way perhaps the other. */
export function authorizationHeaders({ rawHeaders }: IncomingMessage): string[] {
  const isAuthorization = (name: string) =>
    name.length === 13 && name.toLowerCase() === 'authorization'
  return rawHeaders.filter(
    (value, at) => at % 2 === 1 && value !== '' && isAuthorization(rawHeaders[at - 1] ?? ''),
  )
}

function readCredentials(headers: readonly string[], params: Params): Credentials {
  const id = params.get('client_id')
  const secret = params.get('client_secret')
  const assertion = params.get('client_assertion')
  const proofs = [...headers, secret, assertion].filter((proof) => proof !== undefined)
  if (proofs.length > 1) {
    throw new OAuthError('invalid_request', 'use one client authentication method, not several')
  }
  const [authorization] = headers
  if (authorization !== undefined) return sameId(readBasic(authorization), id)
  if (assertion !== undefined) return sameId(readAssertion(assertion, params), id)
  if (id === undefined) throw failed('no client named')
  return secret === undefined
    ? { method: 'none', id: validId(id) }
    : { method: 'secret', id: validId(id), secret }
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
function readBasic(authorization: string): Credentials {
  const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(authorization) ?? []
  if (encoded === undefined) throw failed('no Basic credentials')
  const decoded = Buffer.from(encoded, 'base64').toString('utf8')
  const at = decoded.indexOf(':')
  if (at < 1) throw failed('malformed Basic credentials')
  try {
    const id = validId(formDecode(decoded.slice(0, at)))
    return { method: 'secret', id, secret: formDecode(decoded.slice(at + 1)) }
  } catch {
    throw failed('malformed Basic credentials')
  }
}

/** The `sub` of an assertion names the client; the signature is checked later, with the keys of that client. */
function readAssertion(assertion: string, params: Params): Credentials {
  if (params.get('client_assertion_type') !== jwtBearer) {
    throw new OAuthError('invalid_request', `client_assertion_type must be ${jwtBearer}`)
  }
  try {
    const [, payload = ''] = assertion.split('.')
    const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    return { method: 'assertion', id: validId(String(sub)), assertion }
  } catch {
    throw failed('malformed assertion')
  }
}

function sameId(credentials: Credentials, id: string | undefined): Credentials {
  if (id === undefined || id === credentials.id) return credentials
  throw new OAuthError('invalid_request', 'client_id does not match the client credentials')
}

/** Refuses a text that cannot be a client id without a query. */
function validId(id: string): string {
  if (!/^[A-Za-z0-9._~-]{1,100}$/.test(id)) throw failed('no client id')
  return id
}

/** RFC 6749 §5.2: 401 with the scheme to use. */
const failed = (cause: string | undefined) =>
  new OAuthError('invalid_client', 'client authentication failed', {
    cause,
    headers: { 'www-authenticate': 'Basic realm="signet", charset="UTF-8"' },
  })
