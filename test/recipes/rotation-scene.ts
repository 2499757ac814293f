import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { orders } from '../../tools/fixtures.ts'
import type { Closing } from '../support/server/closing.ts'
import { type CachingFront, startCachingFront } from './caching-front.ts'
import { ageKeys, type Installation, install, type Stores } from './installation.ts'
import { type Service, startPython, startService } from './listeners.ts'
import { fileOfPage } from './page.ts'
import { Traffic } from './traffic.ts'

/**
 * For the keys time runs so many times as fast: their rows are aged as it passes. So the 960 s of a
 * propagation are 32 s, and the 900 s of a token are its 30 real ones. The server, its commands, the
 * services and their libraries run as they are. What that leaves out: clocks that differ, since the
 * 60 s which are allowed for them are 2 real ones, and the server, which rereads once a real second,
 * needs one of these.
 */
export const speed = 30
/**
 * A JWKS may be 900 s old when it is used: 300 in HTTP caches and 600 in services. Here the proxy keeps it
 * for most of that, so that a service which looks again for an unknown `kid` finds the old one all the
 * same: then one that never looks again is no worse off.
 */
export const keptSeconds = 840 / speed
export const serviceSeconds = 60 / speed

/** Keys stay for tokens of 1020 s, those made live for 900: what differs is for a busy machine, too. */
const environment = { ACCESS_TOKEN_SECONDS: '30', ACCESS_TOKEN_MAX_SECONDS: '1020' }

export interface Scene {
  readonly server: Installation
  readonly front: CachingFront
  readonly services: Readonly<Record<string, Service>>
  readonly traffic: Traffic
  readonly stop: () => Promise<void>
}

/** A server, a proxy that caches, two services, and tokens for them; time runs. */
export async function setTheScene(stores: Stores, closing: Closing): Promise<Scene> {
  const front = await startCachingFront({ keptSeconds, serviceSeconds }, closing)
  const server = await install(stores, closing, { ...environment, ISSUER: front.url })
  front.target = server.url
  const serving = await server.start()
  letTimeRun(server, closing)
  const common = { ISSUER: front.url, AUDIENCE: orders }
  const files = {
    'service.py': await fileOfPage('recipes/python', 'service.py'),
    'signet_tokens.py': await fileOfPage('recipes/python', 'pyjwt/signet_tokens.py'),
  }
  const folder = join(stores.folder, 'rotation')
  const settings = { ...common, JWKS_SECONDS: String(serviceSeconds) }
  const services = {
    PyJWT: await startPython(folder, files, settings, closing),
    'signet/verifier': await startService(
      {
        command: process.execPath,
        args: [fileURLToPath(new URL('node-service.js', import.meta.url))],
        ...{ folder, port: await freePort() },
        env: { ...common, COOLDOWN_SECONDS: String(serviceSeconds / 10) },
      },
      closing,
    ),
  }
  const stop = async () => {
    serving.signal('SIGTERM')
    await serving.exited
  }
  return { server, front, services, traffic: new Traffic(server, services), stop }
}

/** The real time counts too, so the rows are aged by one less. */
function letTimeRun({ db }: Installation, closing: Closing): void {
  let ended = false
  const run = async () => {
    let last = performance.now()
    while (!ended) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      const now = performance.now()
      await ageKeys(db, ((now - last) / 1000) * (speed - 1))
      last = now
    }
  }
  const running = run()
  closing.add(() => {
    ended = true
    return running
  })
}
