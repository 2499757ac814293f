import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../support/runner/report.ts'
import type { Closing } from '../support/server/closing.ts'
import { install, type Stores } from './installation.ts'
import { startApache } from './listeners.ts'
import { fileOfPage } from './page.ts'
import { checkRefusals } from './refusals.ts'
import { startTlsFront } from './tls-front.ts'

/** docs/recipes/apache.md, as it stands there but for the host of the issuer. */
export async function checkApache(stores: Stores, report: Report, closing: Closing) {
  const folder = join(stores.folder, 'apache')
  await mkdir(folder)
  const front = await startTlsFront(stores.folder, closing)
  const server = await install(stores, closing, { ISSUER: front.url })
  front.target = server.url
  await server.start()
  const page = await fileOfPage('recipes/apache', 'signet.conf')
  const configuration = [
    page.replaceAll('https://signet.example', server.issuer),
    `OIDCCABundlePath ${front.certificate}`,
  ].join('\n')
  const service = await startApache(folder, configuration, closing)
  await checkRefusals({ name: 'Apache', service, strict: false }, server, report)
}
