import { createVerifier as createFastVerifier } from 'fast-jwt'
import { createLocalJWKSet, importJWK, jwtVerify } from 'jose'
import { audience, issuer, jwk, ourVerifier, pem, token } from './verify-issuer.ts'

export type Verify = (token: string) => unknown

export interface Contest {
  readonly work: string
  readonly concurrency: number
  readonly tokens: readonly string[]
  readonly contestants: Readonly<Record<string, Verify>>
}

const distinctTokens = 2000
export const atOnce = 64
const requiredClaims = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id']

export const signet = 'signet/verifier'
export const jose = 'jose, key imported once'

/** The same tokens for everybody: never seen, never seen and many at once, seen before. */
export async function contests(): Promise<Contest[]> {
  const cold = ourVerifier(0)
  const remembering = ourVerifier(1000)
  const key = await importJWK(jwk, 'RS256')
  const local = createLocalJWKSet({ keys: [jwk as never] })
  const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims }
  const fastRules = {
    ...{ key: pem, allowedIss: issuer, allowedAud: audience, checkTyp: 'at+jwt', requiredClaims },
  }
  const fast = createFastVerifier({ ...fastRules, algorithms: ['RS256'] })
  const fastCached = createFastVerifier({ ...fastRules, algorithms: ['RS256'], cache: 1000 })
  const contestants: Record<string, Verify> = {
    [signet]: (text) => cold.verify(text),
    [jose]: (text) => jwtVerify(text, key, rules),
    'jose, createLocalJWKSet': (text) => jwtVerify(text, local, rules),
    'fast-jwt': (text) => fast(text),
  }
  const repeated: Record<string, Verify> = {
    [signet]: (text) => remembering.verify(text),
    [jose]: (text) => jwtVerify(text, key, rules),
    'fast-jwt, cache': (text) => fastCached(text),
  }
  await Promise.all([cold.ready(), remembering.ready()])
  const tokens = Array.from({ length: distinctTokens }, token)
  const one = tokens.slice(0, 1)
  return [
    { work: 'first time, one after another', concurrency: 1, tokens, contestants },
    { work: `first time, ${atOnce} at once`, concurrency: atOnce, tokens, contestants },
    { work: 'again, one after another', concurrency: 1, tokens: one, contestants: repeated },
  ]
}
