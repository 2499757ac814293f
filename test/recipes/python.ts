import { join } from 'node:path'
import type { Closing } from './closing.ts'
import { install, type Stores } from './installation.ts'
import { fileOfPage } from './page.ts'
import { checkRefusals } from './refusals.ts'
import type { Report } from './report.ts'
import { startPython } from './services.ts'

const libraries = { PyJWT: 'pyjwt', Authlib: 'authlib' }

/** docs/recipes/python.md, as it stands there. */
export async function checkPython(stores: Stores, report: Report, closing: Closing) {
  const server = await install(stores, closing)
  await server.start()
  const service = await fileOfPage('python', 'service.py')
  for (const [name, library] of Object.entries(libraries)) {
    const files = {
      'service.py': service,
      'signet_tokens.py': await fileOfPage('python', `${library}/signet_tokens.py`),
    }
    const folder = join(stores.folder, library)
    const started = await startPython(folder, files, { ISSUER: server.issuer }, closing)
    await checkRefusals({ name, service: started, strict: true }, server, report)
  }
}
