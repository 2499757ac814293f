import type { JSONWebKeySet } from 'jose'
import { later, secondsBetween } from '../../src/clock.ts'
import { fullRereadSeconds } from '../../src/keyring/timing.ts'
import type { Clock, TestServer } from '../support/server/start-server.ts'

/** Does now what a server does every few seconds: the test moves its clock, not the real one. */
export async function tend({ services, clock }: TestServer): Promise<void> {
  await services.rotation.ensure()
  const stopped = later(clock.now(), -fullRereadSeconds(services.timing))
  await services.signingKeys.forgetPrivateHalves(stopped)
  await services.keyring.reread()
}

/** Moves the clock to so many seconds after, or if negative before, a time that must be set. */
export function advanceTo(clock: Clock, moment: Date | null | undefined, seconds = 0): void {
  if (!moment) throw new Error('there is no such moment')
  clock.advance({ seconds: secondsBetween(clock.now(), moment) + seconds })
}

export async function fetchJwks(server: TestServer): Promise<JSONWebKeySet> {
  return (await server.get('/.well-known/jwks.json')).body
}

export const kids = (jwks: JSONWebKeySet): string[] => jwks.keys.map(({ kid }) => kid ?? '')

export const publishedKids = async (server: TestServer): Promise<string[]> =>
  kids(await fetchJwks(server))

/** The kid in the header of a token. */
export const signerOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

/** A fresh access token of the client `app`. */
export async function freshToken(server: TestServer): Promise<string> {
  const answer = await server.clientCredentials()
  if (answer.status !== 200) throw new Error(`no token: ${answer.text}`)
  return answer.body.access_token
}

export async function currentSigner(server: TestServer): Promise<string> {
  return signerOf(await freshToken(server))
}
