import { strict as assert } from 'node:assert'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../tools/eventually.ts'
import type { Report } from '../support/runner/report.ts'
import type { Closing } from '../support/server/closing.ts'
import { type Installation, install, type Stores } from './installation.ts'
import { type Service, startPython } from './listeners.ts'
import { fileOfPage } from './page.ts'
import { checkRefusals } from './refusals.ts'

const example = fileURLToPath(new URL('../../examples/python-service', import.meta.url))

/** docs/recipes/python.md as it stands there, and examples/python-service. */
export async function checkPython(stores: Stores, report: Report, closing: Closing) {
  const server = await install(stores, closing)
  await server.start()
  const subjects: Record<string, string | Readonly<Record<string, string>>> = {
    PyJWT: await filesFor('pyjwt'),
    Authlib: await filesFor('authlib'),
    'examples/python-service': example,
  }
  for (const [name, files] of Object.entries(subjects)) {
    const folder = typeof files === 'string' ? files : join(stores.folder, name)
    const env = { ISSUER: server.issuer }
    const given = typeof files === 'string' ? {} : files
    const service = await startPython(folder, given, env, closing)
    await checkRefusals({ name, service, strict: true }, server, report)
    await checkRevocations(name, service, server, report)
  }
}

/** The page's service, which the page lets follow the list of revocations in the end. */
async function filesFor(library: string): Promise<Record<string, string>> {
  const service = await fileOfPage('recipes/python', 'service.py')
  return {
    'service.py': service.replace('from signet_tokens import', 'from followed_tokens import'),
    'signet_tokens.py': await fileOfPage('recipes/python', `${library}/signet_tokens.py`),
    'followed_tokens.py': await fileOfPage('recipes/python', 'followed_tokens.py'),
    'revocations.py': await readFile(join(example, 'revocations.py'), 'utf8'),
  }
}

async function checkRevocations(
  name: string,
  service: Service,
  server: Installation,
  report: Report,
): Promise<void> {
  const { access_token: revoked } = (await server.clientCredentials()).body
  const { access_token: ended, refresh_token: refresh } = (await server.signIn()).body
  const { access_token: other } = (await server.signIn()).body
  await report.check(`${name} refuses a revoked token, and those of an ended session`, async () => {
    for (const token of [revoked, ended, other]) assert.equal(await service.ask(token), 200)
    await server.revoke(revoked)
    await server.revoke(refresh)
    const start = performance.now()
    const refuses = async (token: string) => (await service.ask(token)) === 401
    await eventually(async () => (await refuses(revoked)) && refuses(ended), 'both are refused', 30)
    const seconds = (performance.now() - start) / 1000
    assert.equal(await service.ask(other), 200, 'and nobody else’s')
    return `after ${seconds.toFixed(1)} s`
  })
}
