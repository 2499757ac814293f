import { stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { later } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { LiveKeyring } from '../../keyring/live-keyring.ts'
import { type MasterKeys, masterKeysFrom, readMasterKeys } from '../../keyring/master-keys.ts'
import { masterKeysInUse } from '../../keyring/rewrap.ts'
import { hasTurn, type SigningKey } from '../../keyring/signing-key.ts'
import { SigningKeys } from '../../keyring/signing-keys.ts'
import { explain } from '../../server/explain.ts'
import { moment } from '../output.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

const masterCheck = 'master keys'
const signingCheck = 'signing keys'

/** @throws MasterKeyError for one that others can read, or that is no key */
export async function findMasterKeys({ MASTER_KEYS, KEYS_DIR }: Config) {
  return MASTER_KEYS ? masterKeysFrom(MASTER_KEYS) : readMasterKeys(KEYS_DIR)
}

/** The master keys by themselves: all that can be said without the database. */
export async function checkMasterKeys(config: Config): Promise<Finding[]> {
  const found = await findMasterKeys(config)
  const from = config.MASTER_KEYS ? 'MASTER_KEYS' : `${config.KEYS_DIR}/`
  if (!found) {
    return config.production
      ? [failed(masterCheck, `none in ${from}`, 'Make one: signet keys new-master')]
      : [ok(masterCheck, `none in ${from} yet: the first start makes one`)]
  }
  const folder = config.MASTER_KEYS ? undefined : await stat(config.KEYS_DIR)
  const known = ok(masterCheck, `${found.all.length} in ${from}, the newest is ${found.newest.id}`)
  if (!folder || !(folder.mode & 0o022)) return [known]
  const advice = `Run: chmod go-w ${config.KEYS_DIR}`
  return [known, warning(masterCheck, `others may put files into ${from}`, advice)]
}

/** What the database holds sealed, and whether it opens. */
export async function checkKeys(db: Knex, config: Config, now: Date): Promise<Finding[]> {
  const masterKeys = await findMasterKeys(config).catch(() => undefined)
  const needed = await masterKeysInUse(db)
  const missing = needed.filter((id) => !masterKeys?.all.some((key) => key.id === id))
  if (missing.length > 0) {
    const message = `the database was sealed with ${missing.join(', ')}, which is not here`
    const advice = 'Put its file back into KEYS_DIR or its value into MASTER_KEYS.'
    return [failed(masterCheck, message, advice)]
  }
  const stale = needed.filter((id) => id !== masterKeys?.newest.id)
  return [
    ...(stale.length > 0 && masterKeys ? [notMoved(stale)] : []),
    ...(await checkSigningKeys(db, config, masterKeys, now)),
  ]
}

const notMoved = (stale: readonly string[]) =>
  warning(
    masterCheck,
    `the database is partly sealed with ${stale.join(', ')}, not the newest`,
    'When every instance has the newest: signet keys rewrap',
  )

async function checkSigningKeys(
  db: Knex,
  config: Config,
  masterKeys: MasterKeys | undefined,
  now: Date,
): Promise<Finding[]> {
  const none = 'none yet: the first start makes two'
  if (!masterKeys) return [ok(signingCheck, none)]
  const live = new LiveKeyring(new SigningKeys(db, masterKeys))
  const problem = await live.reread().then(() => undefined, explain)
  if (problem !== undefined) {
    return [failed(signingCheck, problem, 'Without it: signet keys rotate --now')]
  }
  const { keys } = live.current
  if (keys.length === 0) return [ok(signingCheck, none)]
  const active = live.current.active(now)
  if (!active) return [failed(signingCheck, 'no key can sign', restart)]
  const next = keys.find((key) => hasTurn(key, now) && key.generation > active.generation)
  return [age(active, config, now), successor(next)]
}

const restart = 'A running server makes one within seconds: start it, or look into its log.'

function age({ kid, signsFrom }: SigningKey, config: Config, now: Date): Finding {
  const message = `${kid} signs since ${moment(signsFrom)}`
  return now > later(signsFrom, (config.KEY_ROTATION_DAYS + 1) * 86_400)
    ? warning(
        signingCheck,
        `${message}, longer than KEY_ROTATION_DAYS (${config.KEY_ROTATION_DAYS})`,
        'A running server rotates by itself: is one running? Else: signet keys rotate',
      )
    : ok(signingCheck, message)
}

const successor = (key: SigningKey | undefined): Finding =>
  key
    ? ok(signingCheck, `${key.kid} is published and follows ${moment(key.signsFrom)}`)
    : warning(signingCheck, 'no successor is published: there is none for an emergency', restart)
