import { AuditLog } from '../audit/audit-log.ts'
import { later } from '../clock.ts'
import { LiveKeyring } from '../keyring/live-keyring.ts'
import { Rotation } from '../keyring/rotation.ts'
import { sealedSecret } from '../keyring/sealed-secret.ts'
import { generateKey } from '../keyring/signing-key.ts'
import { SigningKeys } from '../keyring/signing-keys.ts'
import { skewSeconds, type Timing } from '../keyring/timing.ts'
import { Outbox } from '../mail/outbox.ts'
import { RevocationFeed } from '../revocations/revocation-feed.ts'
import { type Revocation, RevocationLog } from '../revocations/revocation-log.ts'
import { RevocationLookup } from '../revocations/revocation-lookup.ts'
import { Revocations } from '../revocations/revocations.ts'
import { RevokedIndex } from '../revocations/revoked-index.ts'
import { RefreshFamilies } from '../sessions/refresh-families.ts'
import { RefreshRotation } from '../sessions/refresh-rotation.ts'
import { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import { RotationBatch } from '../sessions/rotation-statement.ts'
import { UnansweredRotations } from '../sessions/unanswered-rotations.ts'
import { Statements } from '../stores/statements.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { AccessTokens } from '../tokens/access-tokens.ts'
import { ApiKeys } from '../tokens/api-keys.ts'
import { TokenLives } from '../tokens/token-lives.ts'
import { recoverRevocations } from './recover-revocations.ts'
import { daySeconds, type Runtime } from './runtime.ts'

export type TokenServices = Awaited<ReturnType<typeof createTokenServices>>

/** Keys, tokens, sessions and what is revoked of them: what would be there without any people. */
export async function createTokenServices(runtime: Runtime) {
  const { config, db, redis, masterKeys, now, log } = runtime
  const accessTokenMaxSeconds = config.ACCESS_TOKEN_MAX_SECONDS
  const rememberSeconds = accessTokenMaxSeconds + skewSeconds
  const timing: Timing = {
    rotationSeconds: config.KEY_ROTATION_DAYS * daySeconds,
    accessTokenMaxSeconds,
    rereadSeconds: config.KEYRING_REREAD_SECONDS,
  }

  const metrics = new Metrics()
  const statements = createStatements(runtime)
  const audit = new AuditLog(db, now)
  const revocationLog = new RevocationLog(db, now)
  const onTrust = (trusted: boolean, reason: string) =>
    log[trusted ? 'info' : 'warn'](
      { reason },
      trusted ? 'redis answers' : 'postgres answers instead of redis',
    )
  const recover = (held: AsyncIterable<readonly Revocation[]>) =>
    recoverRevocations({ db, log, revocationLog, families, apiKeys, rotation, audit }, held)
  const index = redis && new RevokedIndex({ redis, log: revocationLog, now, onTrust, recover })
  const signingKeys = new SigningKeys(db, masterKeys)
  const keyring = new LiveKeyring(signingKeys)
  const feed = new RevocationFeed({
    ...{ log: revocationLog, keyring, issuer: config.issuer, now },
    onSigned: () => metrics.feedDocuments.inc(),
  })
  const revocations = new Revocations({
    ...{ db, log: revocationLog, questions: new RevocationLookup({ statements, now }), index },
    onDecided: () => feed.pollSoon(),
  })
  const rotation = new Rotation({
    signingKeys,
    now,
    timing,
    generate: () => generateKey(config.KEY_BITS),
    async announce() {
      await keyring.reread()
      feed.pollSoon()
      await revocations.follow()
    },
    async record(trx, { event, kid, detail }) {
      await audit.record({ event, detail: { kid, ...detail } }, trx)
      if (event !== 'key.revoked') return
      const expiresAt = later(now(), rememberSeconds)
      await revocationLog.append(trx, [{ kind: 'kid', value: kid, expiresAt }])
    },
  })

  const codec = new RefreshTokenCodec(await sealedSecret(db, masterKeys, 'refresh tokens', now()))
  const sessionsPerUser = config.SESSIONS_PER_USER
  const families = new RefreshFamilies({
    ...{ db, statements, codec, revocations, audit, now, sessionsPerUser, rememberSeconds },
  })
  const graceSeconds = config.REFRESH_GRACE_SECONDS
  const unanswered = new UnansweredRotations({
    ...{ db, statements, now },
    onFailure: (error) =>
      log.error({ err: error }, 'rotations that were not answered could not be noted or looked up'),
  })
  const refreshRotation = new RefreshRotation({
    ...{ codec, families, revocations, audit, unanswered, now, graceSeconds },
    steps: new RotationBatch(statements, config.DATABASE_TIMEOUT_SECONDS),
  })
  const accessTokens = new AccessTokens({ keyring, revocations, issuer: config.issuer, now })
  const outbox = new Outbox(now)
  const keysPerUser = config.API_KEYS_PER_USER
  const apiKeys = new ApiKeys({
    ...{ db, revocations, revocationLog, audit, outbox, now, rememberSeconds, keysPerUser },
  })

  const tokenLives = new TokenLives({ db, now, rememberSeconds })
  const lifetimes = {
    accessTokenSeconds: config.ACCESS_TOKEN_SECONDS,
    accessTokenMaxSeconds,
    sessionIdleSeconds: config.SESSION_IDLE_DAYS * daySeconds,
    sessionAbsoluteSeconds: config.SESSION_ABSOLUTE_DAYS * daySeconds,
  }
  return {
    ...{
      metrics,
      statements,
      audit,
      revocationLog,
      revocations,
      index,
      feed,
      signingKeys,
      keyring,
      rotation,
      timing,
    },
    ...{
      codec,
      families,
      refreshRotation,
      unanswered,
      accessTokens,
      apiKeys,
      outbox,
      lifetimes,
      rememberSeconds,
    },
    tokenLives,
  }
}

function createStatements({ pool, config, log }: Runtime): Statements {
  const onUnknown = (error: Error) =>
    log.warn(
      { err: error },
      'a prepared statement was not known: none is used any more; behind a pooler set DATABASE_PREPARED_STATEMENTS=false',
    )
  return new Statements({ pool, prepared: config.DATABASE_PREPARED_STATEMENTS, onUnknown })
}
