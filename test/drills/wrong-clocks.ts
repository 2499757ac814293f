import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../tools/eventually.ts'
import { HttpClient } from '../../tools/http-client.ts'
import type { Serving } from '../support/server/signet.ts'
import { type Cost, endedSessions, type Family, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'
import { query, startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 30
const rounds = 8
/** Verifiers allow for 60 s. */
const offSeconds = [30, 120]
const revocationCount = 2_000
const aheadSeconds = 3_600
/** Long enough for several runs of the janitor of the instance that is ahead. */
const harmSeconds = 20

const preload = fileURLToPath(new URL('shifted-date.cjs', import.meta.url))
const shifted = (seconds: number) => ({
  NODE_OPTIONS: `--require ${preload}`,
  SHIFT_SECONDS: String(seconds),
})

/** Instances whose wall clocks are off answer double requests; one that is an hour ahead joins them. */
export async function wrongClocks(place: Place): Promise<Cost> {
  const postgres = await startReplicatedPostgres(`${place.folder}/clocks`, place.closing)
  const { url } = postgres
  const [one] = (await startInstances(place, url, [{}])) as [Serving]
  const families = await signInMany(url, [one], familyCount)
  for (const seconds of offSeconds) {
    const off = await startInstances(place, url, [shifted(seconds), shifted(-seconds)])
    const instances = [one, ...off]
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(families.map((family, at) => twoTabs(family, instances, at + round)))
    }
    const lost = families.filter((family) => family.lost).length
    const ended = await endedSessions(url)
    if (lost > 0 || ended) throw new Error(`families lost: ${lost} (${ended}) at ±${seconds} s`)
  }

  const good = new HttpClient(one.url)
  const token = (await good.clientCredentials()).body.access_token
  await addRevocations(url)
  const before = await state(url)
  const environment = {
    ...shifted(aheadSeconds),
    JANITOR_SECONDS: '1',
    KEYRING_REREAD_SECONDS: '1',
  }
  const [ahead] = await startInstances(place, url, [environment])
  if (!ahead) throw new Error('no instance')
  await sleep(harmSeconds * 1000)
  const after = await state(url)
  if (JSON.stringify(after) !== JSON.stringify(before)) {
    throw new Error(`an hour ahead: ${JSON.stringify(before)} became ${JSON.stringify(after)}`)
  }
  const { body } = await new HttpClient(ahead.url).introspect(token)
  if (body.active !== true) throw new Error('an hour ahead: a good token is refused')
  await eventually(
    async () => (await fetch(`${ahead.url}/health/ready`)).status === 503,
    'the instance that is an hour ahead is not ready',
  )
  if (!/clock/i.test(ahead.stderr() + ahead.stdout())) throw new Error('the log does not say so')
  const double = `${offSeconds.length * rounds} double requests each, all good`
  const answers = `${double}; an hour ahead: 0 of ${revocationCount} revocations deleted`
  return { lost: 0, families: familyCount, answers }
}

/** The same token at two instances at the same moment, and on with one of the answers. */
async function twoTabs(family: Family, instances: readonly Serving[], turn: number): Promise<void> {
  if (family.lost) return
  const tabs = [0, 1].map((tab) => instances[(turn + tab) % instances.length] as Serving)
  const answers = []
  for (const { url } of tabs) answers.push(await new HttpClient(url).refresh(family.refreshToken))
  if (answers.some(({ status }) => status !== 200)) family.lost = true
  family.refreshToken = answers.at(-1)?.body.refresh_token ?? family.refreshToken
}

const addRevocations = (url: string) =>
  query(
    url,
    `INSERT INTO revocations (kind, value, expires_at, revoked_at)
     SELECT 'jti', gen_random_uuid()::text, now() + interval '10 minutes', now()
       FROM generate_series(1, ${revocationCount})`,
  )

/** Rows that a clock ahead of time would delete. */
async function state(url: string) {
  const [row] = await query(
    url,
    `SELECT (SELECT count(*)::int FROM revocations) AS revocations,
            (SELECT count(*)::int FROM refresh_families) AS sessions,
            (SELECT count(*)::int FROM signing_keys WHERE private_jwe IS NOT NULL) AS keys`,
  )
  return row
}
