import { createPublicKey } from 'node:crypto'
import test from 'ava'
import { createDecoder, createVerifier } from 'fast-jwt'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { invoices, orders } from '../../tools/fixtures.ts'
import { fetchJwks, signerOf } from '../keyring/tend.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { changeKeys } from './clients.ts'

/** A service that verifies tokens by itself and returns their claims. */
type Verify = (token: string, audience: string) => Promise<Record<string, unknown>>

const libraries: Record<string, (server: TestServer) => Verify> = {
  'jose with its remote JWKS': (server) => {
    const keySet = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`))
    return async (token, audience) => {
      const options = { issuer: server.app.issuer, audience, typ: 'at+jwt', algorithms: ['RS256'] }
      return (await jwtVerify(token, keySet, options)).payload
    }
  },
  'fast-jwt with the key of the JWKS by its kid': (server) => {
    const pems = new Map<string, string>()
    const key = async ({ header }: { header: { kid?: string } }) => {
      const kid = header.kid ?? ''
      if (!pems.has(kid)) {
        for (const jwk of (await fetchJwks(server)).keys) {
          const publicKey = createPublicKey({ key: jwk as never, format: 'jwk' })
          pems.set(jwk.kid ?? '', publicKey.export({ type: 'spki', format: 'pem' }).toString())
        }
      }
      return pems.get(kid) ?? Promise.reject(new Error('unknown kid'))
    }
    return async (token, allowedAud) => {
      const decoded = createDecoder({ complete: true })(token)
      if (decoded.header.typ !== 'at+jwt') throw new Error('no access token')
      const { issuer: allowedIss } = server.app
      return createVerifier({ key, algorithms: ['RS256'], allowedIss, allowedAud })(token)
    }
  },
}

for (const [name, build] of Object.entries(libraries)) {
  test(`${name} verifies tokens from before and after a key rotation, and no others`, async (t) => {
    const server = await startServer(t)
    const verify = build(server)
    const before = (await server.signIn()).body.access_token
    const person = await verify(before, orders)
    t.like(person, { iss: server.app.issuer, aud: orders, client_id: 'app', roles: ['admin'] })
    await changeKeys(server)
    const after = (await server.clientCredentials({ resource: [orders, invoices] })).body
    t.not(signerOf(after.access_token), signerOf(before))
    for (const audience of [orders, invoices]) {
      t.like(await verify(after.access_token, audience), { sub: 'app', aud: [orders, invoices] })
    }
    t.is((await verify(before, orders)).sub, person.sub)

    await t.throwsAsync(verify(before, invoices), undefined, 'another audience')
    const [header, , signature] = before.split('.')
    const [, payload] = after.access_token.split('.')
    await t.throwsAsync(verify(`${header}.${payload}.${signature}`, orders), undefined, 'mixed')
    const stranger = await startServer(t, { database: server.databaseUrl })
    const foreign = (await stranger.clientCredentials()).body.access_token
    await t.throwsAsync(verify(foreign, orders), undefined, 'another issuer')
  })
}
