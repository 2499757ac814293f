import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/stores/postmaster.ts'
import { eventually } from '../support/eventually.ts'
import { orders } from '../support/fixtures.ts'
import { type CachingFront, startCachingFront } from './caching-front.ts'
import type { Closing } from './closing.ts'
import { ageKeys, type Installation, install, type Stores } from './installation.ts'
import { fileOfPage } from './page.ts'
import type { Report } from './report.ts'
import { type Service, startPython, startService } from './services.ts'
import { Traffic } from './traffic.ts'

/**
 * For the keys time runs so many times as fast: their rows are aged as it passes. So the 960 s of a
 * propagation are 32 s, and the 900 s of a token are its 30 real ones. What else takes part has its own
 * time shortened by as much: `max-age`, and how long the services keep a JWKS. Nothing else is changed:
 * the server, its commands, the services and their libraries run as they are. What that leaves out:
 * clocks that differ, since the 60 s which are allowed for them are 2 real ones, and the server, which
 * rereads once a real second, needs one of these.
 */
const speed = 30
/** Of the 600 s that a service may keep a JWKS: a minute less, for a machine that is busy. */
const serviceSeconds = 540 / speed

/** Keys stay for tokens of 1020 s, those made live for 900: what differs is for a busy machine, too. */
const environment = { ACCESS_TOKEN_SECONDS: '30', ACCESS_TOKEN_MAX_SECONDS: '1020' }

interface Scene {
  readonly server: Installation
  readonly front: CachingFront
  readonly services: Readonly<Record<string, Service>>
  readonly traffic: Traffic
  readonly stop: () => Promise<void>
}

/** Real services verify what a real server signs, through everything that happens to its keys. */
export async function checkRotation(stores: Stores, report: Report, closing: Closing) {
  const scene = await setTheScene(stores, closing)
  const { server, traffic } = scene
  traffic.start()
  closing.add(() => traffic.end())
  await eventually(() => traffic.signer !== undefined, 'a token is made')
  const second = await rotateInEmergency(scene, report)
  const third = await rotateOnPlan(scene, second, report)
  const next = await successor(server)
  await report.check('Rotation: a key leaves when its last token has expired', async () => {
    const jwks = async () => (await server.get('/.well-known/jwks.json')).text
    await eventually(async () => !(await jwks()).includes(second), 'it leaves', 90)
    assert.equal(traffic.liveTokenOf(second), undefined)
    return undefined
  })
  await revokeLeaked(scene, { leaked: third, next }, report)
  for (const [name, { checked, refused }] of Object.entries(traffic.counts)) {
    await report.check(`Rotation: ${name} refused no good token through all of it`, async () => {
      assert.deepEqual(refused, [])
      assert.ok(checked > 200, `only ${checked} were checked`)
      return `${checked} good tokens checked, 0 wrongly refused`
    })
  }
  await showThatItCounts(scene, report)
}

/** @returns the key that signs after it */
async function rotateInEmergency({ server, traffic }: Scene, report: Report): Promise<string> {
  const [first, second] = [traffic.signer as string, await successor(server)]
  await report.check('Rotation: in an emergency the successor signs at once', async () => {
    await server.signet('keys', 'rotate', '--now')
    await traffic.until(second, 20)
    return `${short(first)} → ${short(second)}`
  })
  return second
}

/** To a key that was published a moment ago; while it waits for its turn the server is restarted. */
async function rotateOnPlan(scene: Scene, second: string, report: Report): Promise<string> {
  const { server, traffic, stop } = scene
  const published = performance.now()
  const third = await successor(server)
  await server.signet('keys', 'rotate')
  await report.check('Rotation: under way, the server is stopped and started', async () => {
    await stop()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    await server.start()
    assert.equal(traffic.signer, second)
    return undefined
  })
  await report.check('Rotation: on plan, when every cache can know the successor', async () => {
    await traffic.until(third, 90)
    const seconds = Math.round(((performance.now() - published) / 1000) * speed)
    return `${short(second)} → ${short(third)}, ${seconds} s of the keys after its publication`
  })
  return third
}

/** Its tokens are rightly refused; the successor was published long enough ago for everybody. */
async function revokeLeaked(
  { server, traffic, services }: Scene,
  { leaked, next }: { leaked: string; next: string },
  report: Report,
): Promise<void> {
  await eventually(async () => (await tooSoonFor(server)) === 0, `${next} is known`, 90)
  const victim = traffic.liveTokenOf(leaked) as string
  traffic.revoke(leaked)
  const { json } = await server.signet('keys', 'revoke', leaked, '--yes', '--json')
  assert.equal(json().signerUnknownFor, 0)
  await traffic.until(next, 20)
  const start = performance.now()
  // Without a list of revocations a service learns of it from the JWKS: 300 s and 600 s at most.
  const limits = Object.entries({ 'signet/verifier': 5, PyJWT: 900 / speed + 5 })
  await Promise.all(
    limits.map(([name, seconds]) =>
      report.check(`Rotation: ${name} refuses the tokens of a key that was revoked`, async () => {
        const refuses = async () => (await services[name]?.ask(victim)) === 401
        await eventually(refuses, 'refused', seconds)
        return `after ${((performance.now() - start) / 1000).toFixed(1)} s`
      }),
    ),
  )
}

/** Two rotations on top of each other, behind a JWKS that does not move: now good tokens are refused. */
async function showThatItCounts({ server, front, traffic }: Scene, report: Report) {
  front.hold()
  await server.signet('keys', 'rotate', '--now', '--yes')
  const unknown = await successor(server)
  await server.signet('keys', 'rotate', '--now', '--yes')
  await report.check(
    'Rotation: one that comes too soon for a cache would have been noticed',
    async () => {
      await traffic.until(unknown, 20)
      const noticed = () => Object.values(traffic.counts).every(({ refused }) => refused.length > 0)
      await eventually(noticed, 'good tokens are counted as refused')
      return undefined
    },
  )
}

async function setTheScene(stores: Stores, closing: Closing): Promise<Scene> {
  const front = await startCachingFront({ speed, serviceSeconds }, closing)
  const server = await install(stores, closing, { ...environment, ISSUER: front.url })
  front.target = server.url
  const serving = await server.start()
  letTimeRun(server, closing)
  const common = { ISSUER: front.url, AUDIENCE: orders }
  const files = {
    'service.py': await fileOfPage('python', 'service.py'),
    'signet_tokens.py': await fileOfPage('python', 'pyjwt/signet_tokens.py'),
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

const listed = async (server: Installation) =>
  (await server.signet('keys', 'list', '--json')).json()

async function successor(server: Installation): Promise<string> {
  const upcoming = (await listed(server)).find(
    ({ state }: { state: string }) => state === 'upcoming',
  )
  return upcoming.kid
}

const tooSoonFor = async (server: Installation): Promise<number> =>
  (await server.signet('keys', 'rotate', '--now', '--dry-run', '--json')).json().tooSoonFor

const short = (kid: string) => kid.slice(0, 6)
