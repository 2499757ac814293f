import { strict as assert } from 'node:assert'
import { invoices, orders } from '../../tools/fixtures.ts'
import type { Report } from '../support/runner/report.ts'
import { forgeries, oddities } from './forgeries.ts'
import type { Installation } from './installation.ts'
import type { Service } from './listeners.ts'

export interface Subject {
  readonly name: string
  readonly service: Service
  /** True when it checks `typ` and takes no algorithm but RS256. */
  readonly strict: boolean
}

/** That a service takes the tokens that it should, and refuses all others. */
export async function checkRefusals(
  { name, service, strict }: Subject,
  server: Installation,
  report: Report,
): Promise<void> {
  const mint = async (form = {}) => (await server.clientCredentials(form)).body.access_token
  const good: string = await mint()
  await report.check(
    `${name} takes a good token: of a client, of a person, for two audiences`,
    async () =>
      taken(service, [
        ...[good, (await server.signIn()).body.access_token],
        await mint({ resource: [orders, invoices] }),
      ]),
  )
  const key = await server.stolenKey()
  const bad: Record<string, string | undefined> = {
    'RFC 6750 §3.1: no token': undefined,
    'one that the server made for another audience': await mint({ resource: invoices }),
    'RFC 8725 §3.12: the revocation list as a token': (await server.get('/.well-known/revocations'))
      .text,
    ...forgeries(good, key),
    ...(strict && oddities(good, key)),
  }
  for (const [what, token] of Object.entries(bad)) {
    await report.check(`${name} refuses ${what}`, async () => {
      const status = await service.ask(token)
      assert.ok([401, 403].includes(status), `answered ${status}`)
      return undefined
    })
  }
  await report.check(`${name} takes the good token still`, () => taken(service, [good]))
}

async function taken(service: Service, tokens: readonly string[]): Promise<undefined> {
  for (const token of tokens) assert.equal(await service.ask(token), 200)
}
