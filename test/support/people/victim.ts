import { createPublicKey, type KeyObject } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import { readToken } from '../clients/clients.ts'
import { startServer, type TestServer } from '../server/start-server.ts'

type Claims = Record<string, unknown>

/** A server with a token that somebody holds, and the very key that signed it. */
export interface Victim {
  readonly server: TestServer
  readonly token: string
  readonly refreshToken: string
  readonly header: { readonly alg: string; readonly typ: string; readonly kid: string }
  readonly claims: Claims
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export async function victimOf(t: ExecutionContext<unknown>): Promise<Victim> {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const { header, claims } = readToken(body.access_token)
  const { privateKey } = server.services.keyring.current.signer(server.clock.now())
  const publicKey = createPublicKey(privateKey)
  const [token, refreshToken] = [body.access_token, body.refresh_token]
  return { server, token, refreshToken, header, claims, privateKey, publicKey }
}

/**
 * No forgery is taken for a token, none tells anything about itself, and revoking it revokes nothing:
 * the victim's own token lives before and after.
 */
export async function areNoTokens(
  t: ExecutionContext<unknown>,
  { server, token }: Victim,
  forgeries: Readonly<Record<string, string>>,
): Promise<void> {
  t.true((await server.introspect(token)).body.active, 'the victim signed in')
  for (const [name, forgery] of Object.entries(forgeries)) {
    const asked = await server.introspect(forgery)
    t.is(asked.status, 200, `${name}: ${asked.text}`)
    t.is(asked.text, '{"active":false}', name)
    const revoked = await server.revoke(forgery)
    t.is(revoked.status, 200, `${name}: ${revoked.text}`)
    t.is(revoked.text, '', name)
  }
  t.true((await server.introspect(token)).body.active, 'and is still signed in')
}
