import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const signet = fileURLToPath(new URL('../dist/src/main.cjs', import.meta.url))

/**
 * Registers the client of an example with the Signet of this folder, once: an administrator of your own app
 * does the same by hand. The credentials are kept in `.data/examples/`.
 * @returns client_id and client_secret; a public client has no secret
 */
export async function register(id, settings) {
  const file = join('.data', 'examples', `${id}.json`)
  const known = await readFile(file, 'utf8').catch(() => undefined)
  if (known) return JSON.parse(known)
  const options = Object.entries(settings).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  )
  const { stdout } = await run(process.execPath, [
    signet,
    'clients',
    'create',
    id,
    ...options,
    '--json',
  ])
  const { client_secret } = JSON.parse(stdout)
  const credentials = { client_id: id, client_secret }
  await mkdir(join('.data', 'examples'), { recursive: true, mode: 0o700 })
  await writeFile(file, JSON.stringify(credentials), { mode: 0o600 })
  return credentials
}
