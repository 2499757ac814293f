import test from 'ava'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { later } from '../../src/clock.ts'
import { generateKey } from '../../src/keyring/key-material.ts'
import { Clock, startServer, type TestServer } from '../support/server/start-server.ts'
import { freshToken, signerOf, tend } from './tend.ts'

/** No two tokens live equally long. */
const endOf = (token: string): Date => new Date((decodeJwt(token).exp ?? 0) * 1000)

/** How long jose, Spring, PyJWT and others keep a fetched set, in addition to HTTP caches. */
const verifierCacheSeconds = 600

/** A set that a cache fetched, and until when a verifier may still use it. */
interface Cached {
  readonly keySet: JWTVerifyGetKey
  readonly until: Date
}

async function take(server: TestServer): Promise<Cached> {
  const answer = await server.get('/.well-known/jwks.json')
  const [, maxAge] = /max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '') ?? []
  const until = later(server.clock.now(), Number(maxAge) + verifierCacheSeconds)
  return { keySet: createLocalJWKSet(answer.body), until }
}

/** The steps, of half a minute each, at which a new successor is published and takes over. */
const published = 31
const rotations = {
  'a planned rotation': { at: published, emergency: false },
  'an emergency rotation, as soon as it is allowed': { at: published + 32, emergency: true },
}

for (const [name, { at, emergency }] of Object.entries(rotations)) {
  test(`ROT-1: a verifier that caches the JWKS as long as allowed refuses no valid token during ${name}`, async (t) => {
    const environment = { KEYRING_REREAD_SECONDS: '60' }
    // The clock stands still between the steps: what takes long on a busy machine takes no time here.
    const server = await startServer(t, { environment, clock: new Clock(new Date()) })
    const late = await startServer(t, { beside: server, environment })
    let caches: Cached[] = []
    let tokens: { token: string; expiresAt: Date }[] = []
    const signers = new Set<string>()
    for (let step = 0; step < 105; step += 1) {
      const { rotation } = server.services
      if (step === published) await rotation.import(await generateKey(2048))
      if (step === at) await rotation.rotate({ emergency })
      await tend(server)
      if (step % 2 === 0) await tend(late)
      caches = [...caches, await take(server), await take(late)]
      const fresh = await Promise.all([freshToken(server), freshToken(late)])
      tokens = [...tokens, ...fresh.map((token) => ({ token, expiresAt: endOf(token) }))]
      // One token for each key is enough: a cache cannot be wrong about anything else.
      const byKey = new Map(tokens.map(({ token }) => [signerOf(token), token]))
      for (const [kid, token] of byKey) {
        signers.add(kid)
        for (const { keySet } of caches) {
          const options = { currentDate: server.clock.now(), typ: 'at+jwt' }
          await t.notThrowsAsync(jwtVerify(token, keySet, options), `step ${step}`)
        }
      }
      server.clock.advance({ seconds: 30 })
      const now = server.clock.now()
      caches = caches.filter(({ until }) => until > now)
      tokens = tokens.filter((one) => one.expiresAt > now)
    }
    t.is(signers.size, 2, 'both keys have signed')
    t.deepEqual([...new Set(tokens.map(({ token }) => signerOf(token)))], [[...signers][1]])
  })
}

test('jose fetches the JWKS once and verifies through an emergency rotation under load', async (t) => {
  const environment = { KEYRING_REREAD_SECONDS: '1' }
  const server = await startServer(t, { environment })
  const other = await startServer(t, { beside: server, environment })
  server.clock.advance({ minutes: 17 })
  let fetches = 0
  const jwksUri = new URL(`${server.url}/.well-known/jwks.json`)
  const keySet = createRemoteJWKSet(jwksUri, {
    [customFetch]: (...args: Parameters<typeof fetch>) => {
      fetches += 1
      return fetch(...args)
    },
  })
  const outcome = { verified: 0, refused: [] as string[] }
  const seen = new Map<string, Set<TestServer>>()
  const check = async (instance: TestServer) => {
    const token = await freshToken(instance)
    const kid = signerOf(token)
    seen.set(kid, (seen.get(kid) ?? new Set()).add(instance))
    await jwtVerify(token, keySet, { typ: 'at+jwt', currentDate: server.clock.now() }).then(
      () => {
        outcome.verified += 1
      },
      (error) => outcome.refused.push(`${kid}: ${error.message}`),
    )
  }
  let finished = false
  const loads = [server, other, server, other].map(async (instance) => {
    while (!finished) await check(instance)
  })
  while (outcome.verified < 50) await check(server)
  const plan = await server.services.rotation.rotate({ emergency: true })
  const deadline = Date.now() + 30_000
  while (seen.get(plan.to)?.size !== 2 && Date.now() < deadline) await check(other)
  for (let more = 0; more < 50; more += 1) await check(other)
  finished = true
  await Promise.all(loads)
  t.deepEqual([...seen.keys()], [plan.from, plan.to])
  t.is(seen.get(plan.to)?.size, 2, 'both instances follow')
  t.deepEqual(outcome.refused, [])
  t.is(fetches, 1)
  t.log(`${outcome.verified} tokens verified`)
})
