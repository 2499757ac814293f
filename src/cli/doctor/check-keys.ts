import { stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { later } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { LiveKeyring } from '../../keyring/live-keyring.ts'
import type { MasterKeys } from '../../keyring/master-keys.ts'
import { masterKeysInUse } from '../../keyring/sealing.ts'
import { hasTurn, type SigningKey } from '../../keyring/signing-key.ts'
import { SigningKeys } from '../../keyring/signing-keys.ts'
import { explain } from '../../server/explain.ts'
import { readConfiguredMasterKeys } from '../../server/open-runtime.ts'
import { moment } from '../output.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

const masterCheck = 'master keys'
const signingCheck = 'signing keys'

/** Checks the master keys without the database. */
export async function checkMasterKeys(config: Config): Promise<Finding[]> {
  const found = await readConfiguredMasterKeys(config)
  const from = config.MASTER_KEYS ? 'MASTER_KEYS' : `${config.KEYS_DIR}/`
  if (!found) {
    return config.production
      ? [failed(masterCheck, `none in ${from}`, 'Create one: signet keys new-master')]
      : [ok(masterCheck, `none in ${from} yet: the first start creates one`)]
  }
  const folder = config.MASTER_KEYS ? undefined : await stat(config.KEYS_DIR)
  const known = ok(masterCheck, `${found.all.length} in ${from}, the newest is ${found.newest.id}`)
  if (!folder || !(folder.mode & 0o022)) return [known]
  const advice = `Run: chmod go-w ${config.KEYS_DIR}`
  return [known, warning(masterCheck, `other users can write to ${from}`, advice)]
}

/** Checks that the sealed keys in the database can be opened. */
export async function checkKeys(db: Knex, config: Config, now: Date): Promise<Finding[]> {
  const masterKeys = await readConfiguredMasterKeys(config).catch(() => undefined)
  const needed = await masterKeysInUse(db)
  const missing = needed.filter((id) => !masterKeys?.all.some((key) => key.id === id))
  if (missing.length > 0) {
    const message = `the database is sealed with ${missing.join(', ')}, which is missing`
    const advice = 'Restore its file in KEYS_DIR or its value in MASTER_KEYS.'
    return [failed(masterCheck, message, advice)]
  }
  const stale = needed.filter((id) => id !== masterKeys?.newest.id)
  return [
    ...(stale.length > 0 && masterKeys ? [notRewrapped(stale)] : []),
    ...(await checkSigningKeys(db, config, masterKeys, now)),
  ]
}

const notRewrapped = (stale: readonly string[]) =>
  warning(
    masterCheck,
    `the database is partly sealed with ${stale.join(', ')}, which is not the newest key`,
    'When every instance has the newest key, run: signet keys rewrap',
  )

async function checkSigningKeys(
  db: Knex,
  config: Config,
  masterKeys: MasterKeys | undefined,
  now: Date,
): Promise<Finding[]> {
  const none = 'none yet: the first start creates two'
  if (!masterKeys) return [ok(signingCheck, none)]
  const live = new LiveKeyring(new SigningKeys(db, masterKeys), () => now)
  const problem = await live.reread().then(() => undefined, explain)
  if (problem !== undefined) {
    return [
      failed(
        signingCheck,
        problem,
        'To sign with the successor instead, run: signet keys rotate --now',
      ),
    ]
  }
  const { keys } = live.current
  if (keys.length === 0) return [ok(signingCheck, none)]
  const active = live.current.active(now)
  if (!active) return [failed(signingCheck, 'no key can sign', restart)]
  const next = keys.find((key) => hasTurn(key, now) && key.generation > active.generation)
  return [age(active, config, now), successor(next)]
}

const restart = 'A running server creates one within seconds: start it, or check its log.'

function age({ kid, signsFrom }: SigningKey, config: Config, now: Date): Finding {
  const message = `${kid} has signed since ${moment(signsFrom)}`
  return now > later(signsFrom, (config.KEY_ROTATION_DAYS + 1) * 86_400)
    ? warning(
        signingCheck,
        `${message}, longer than KEY_ROTATION_DAYS (${config.KEY_ROTATION_DAYS})`,
        'A running server rotates keys itself: check that one is running, or run: signet keys rotate',
      )
    : ok(signingCheck, message)
}

const successor = (key: SigningKey | undefined): Finding =>
  key
    ? ok(signingCheck, `${key.kid} is published and signs from ${moment(key.signsFrom)}`)
    : warning(signingCheck, 'no successor is published, so none is ready for an emergency', restart)
