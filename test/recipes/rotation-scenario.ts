import { strict as assert } from 'node:assert'
import { eventually } from '../../tools/eventually.ts'
import type { Report } from '../support/runner/report.ts'
import type { Closing } from '../support/server/closing.ts'
import type { Installation, Stores } from './installation.ts'
import { keptSeconds, type Scene, serviceSeconds, setTheScene, speed } from './rotation-scene.ts'

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
    assert.ok(traffic.liveTokenOf(second) === undefined, 'one of its tokens is still good')
    return undefined
  })
  await revokeLeaked(scene, { leaked: third, next }, report)
  for (const [name, { checked, refused }] of Object.entries(traffic.counts)) {
    await report.check(`Rotation: ${name} refused no good token through all of it`, async () => {
      assert.equal(refused.length, 0, `${refused.length} of ${checked} refused: ${refused[0]}`)
      assert.ok(checked > 200, `only ${checked} were checked`)
      return `${checked} good tokens checked, 0 wrongly refused`
    })
  }
  await showThatItCounts(scene, report)
}

/** @returns the key that signs after it */
async function rotateInEmergency(scene: Scene, report: Report): Promise<string> {
  const { server, front, traffic } = scene
  const [first, second] = [traffic.signer as string, await successor(server)]
  await report.check('Rotation: in an emergency the successor signs at once', async () => {
    // The next successor is published now, and is not in the copy that services have from here on.
    await front.refresh()
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
    await pause(5)
    await stop()
    await pause(3)
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
  assert.equal(json().signer_unknown_for, 0)
  await traffic.until(next, 20)
  const start = performance.now()
  // Without a list of revocations a service learns of it from the JWKS: 300 s and 600 s at most.
  const limits = Object.entries({ 'signet/verifier': 5, PyJWT: keptSeconds + serviceSeconds + 5 })
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

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

const listed = async (server: Installation) =>
  (await server.signet('keys', 'list', '--json')).json()

/** A key that has just taken over has none yet: the server makes one at its next look at the keys. */
async function successor(server: Installation): Promise<string> {
  let kid: string | undefined
  await eventually(
    async () => {
      const upcoming = (await listed(server)).find(
        ({ state }: { state: string }) => state === 'upcoming',
      )
      kid = upcoming?.kid
      return kid !== undefined
    },
    'a successor is published',
    60,
  )
  return kid as string
}

const tooSoonFor = async (server: Installation): Promise<number> =>
  (await server.signet('keys', 'rotate', '--now', '--dry-run', '--json')).json().too_soon_for

const short = (kid: string) => kid.slice(0, 6)
