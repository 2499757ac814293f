import { ApiClients } from '../api/account/api-clients.ts'
import { AuditLog } from '../audit/audit-log.ts'
import { RefusalRecord } from '../audit/refusal-record.ts'
import { PasswordFactor } from '../authentication/password.ts'
import { LogoutDeliveries } from '../backchannel/logout-deliveries.ts'
import { createLogoutSender } from '../backchannel/logout-sender.ts'
import { ClientAssertions } from '../clients/client-assertions.ts'
import { ClientCache } from '../clients/client-cache.ts'
import { Clients } from '../clients/clients.ts'
import { PublicOrigins } from '../clients/public-origins.ts'
import { later } from '../clock.ts'
import { SessionTokens } from '../grants/session-tokens.ts'
import { SignIn } from '../grants/sign-in.ts'
import { Janitor } from '../janitor/janitor.ts'
import { generateKey } from '../keyring/key-material.ts'
import { LiveKeyring } from '../keyring/live-keyring.ts'
import { Rotation } from '../keyring/rotation.ts'
import { sealedSecret } from '../keyring/sealing.ts'
import { SigningKeys } from '../keyring/signing-keys.ts'
import { skewSeconds } from '../keyring/timing.ts'
import { MailQueue } from '../mail/mail-queue.ts'
import { createMailSender } from '../mail/mail-sender.ts'
import { Outbox } from '../mail/outbox.ts'
import { RevocationFeed } from '../revocations/revocation-feed.ts'
import { RevocationLog } from '../revocations/revocation-log.ts'
import { RevocationLookup, Revocations } from '../revocations/revocations.ts'
import { RevokedIndex } from '../revocations/revoked-index.ts'
import { RefreshFamilies } from '../sessions/refresh-families.ts'
import { RefreshRotation } from '../sessions/refresh-rotation.ts'
import { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import { RotationBatch } from '../sessions/rotation-batch.ts'
import { UnansweredRotations } from '../sessions/unanswered-rotations.ts'
import { failureMembers } from '../stores/unavailable.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { AccessTokens } from '../tokens/access-tokens.ts'
import { ApiKeys } from '../tokens/api-keys.ts'
import { IdTokens } from '../tokens/id-tokens.ts'
import { prepareLink } from '../tokens/mail-links.ts'
import { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { TokenLives } from '../tokens/token-lives.ts'
import { createBrowserSignIn } from './browser-sign-in.ts'
import { cleanupTasks } from './cleanup-tasks.ts'
import { createPeople } from './people.ts'
import { recoverRevocations } from './recover-revocations.ts'
import type { Runtime } from './runtime.ts'
import { keyTimingOf, lifetimesOf, mailTransportOf, statementsOf } from './settings.ts'
import { createThrottling } from './throttling.ts'

export type { Runtime } from './runtime.ts'

export type Services = Awaited<ReturnType<typeof createServices>>

/**
 * Builds every service once, from the bottom up: keys, revocations, sessions and tokens, clients,
 * mail, people, sign-in, cleanup. `routes.ts` mounts routes on them; `cli/` runs commands with them.
 */
export async function createServices(runtime: Runtime) {
  const { config, db, pool, redis, masterKeys, now, log, tracer } = runtime
  const { issuer } = config
  const lifetimes = lifetimesOf(config)
  const accessTokenMaxSeconds = config.ACCESS_TOKEN_MAX_SECONDS
  const rememberSeconds = accessTokenMaxSeconds + skewSeconds

  const metrics = new Metrics()
  const statements = statementsOf(config, pool, log)
  const audit = new AuditLog(db, now)
  const refusals = new RefusalRecord({ db, statements, now })

  const signingKeys = new SigningKeys(db, masterKeys)
  const keyring = new LiveKeyring(signingKeys, now)
  const revocationLog = new RevocationLog(db, now)
  const feed = new RevocationFeed({
    log: revocationLog,
    keyring,
    issuer,
    now,
    onSigned: () => metrics.feedDocuments.inc(),
  })
  const index =
    redis &&
    new RevokedIndex({
      redis,
      log: revocationLog,
      now,
      onTrust: (trusted, reason) =>
        trusted
          ? log.info({ reason }, 'redis answers')
          : log.warn({ reason }, 'postgres answers instead of redis'),
      recover: (lost) =>
        recoverRevocations({ db, log, revocationLog, families, apiKeys, rotation, audit }, lost),
    })
  const revocations = new Revocations({
    db,
    log: revocationLog,
    lookup: new RevocationLookup(statements, now),
    index,
    onDecided: () => feed.pollSoon(),
  })
  const timing = keyTimingOf(config)
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
  const logoutDeliveries = new LogoutDeliveries(db, now)
  const logoutSender = createLogoutSender({
    deliveries: logoutDeliveries,
    keyring,
    issuer,
    now,
    log,
    metrics,
    tracer,
  })
  logoutDeliveries.whenCommitted(() => logoutSender.wake())
  const outbox = new Outbox(now)
  const families = new RefreshFamilies({
    db,
    statements,
    codec,
    revocations,
    logoutDeliveries,
    outbox,
    audit,
    now,
    sessionsPerUser: config.SESSIONS_PER_USER,
    rememberSeconds,
  })
  const unanswered = new UnansweredRotations({
    db,
    statements,
    now,
    onFailure: (error) =>
      log.error(failureMembers(error), 'unanswered rotations could not be recorded or looked up'),
  })
  const refreshRotation = new RefreshRotation({
    codec,
    families,
    revocations,
    audit,
    unanswered,
    batch: new RotationBatch(statements, config.DATABASE_TIMEOUT_SECONDS),
    now,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
  })

  const accessTokens = new AccessTokens({ keyring, revocations, issuer, now })
  const idTokens = new IdTokens({ keyring, issuer, now })
  const tokenLives = new TokenLives({ db, now, rememberSeconds })
  const codeKey = await sealedSecret(db, masterKeys, 'mail codes', now())
  const oneTimeTokens = new OneTimeTokens(now, codeKey)
  const apiKeys = new ApiKeys({
    db,
    revocations,
    revocationLog,
    audit,
    outbox,
    now,
    rememberSeconds,
    keysPerUser: config.API_KEYS_PER_USER,
  })

  const clients = new Clients({
    db,
    cache: new ClientCache({ statements, now }),
    revocations,
    apiKeys,
    audit,
    now,
    accessTokenMaxSeconds,
    rememberSeconds,
  })
  const publicOrigins = new PublicOrigins({ db, now })
  const apiClients = new ApiClients({ clients, issuer })
  const assertions = new ClientAssertions({ db, now, audiences: [issuer, `${issuer}/oauth/token`] })

  const mailQueue = new MailQueue(db, now)
  const linkKey = await sealedSecret(db, masterKeys, 'mail links', now())
  const mailSender = createMailSender({
    queue: mailQueue,
    transport: mailTransportOf(config, log),
    prepare: (trx, mail) => prepareLink(trx, mail, { oneTimeTokens, linkKey }),
    appUrl: config.appUrl,
    ownUrl: issuer,
    tokenIn: config.APP_URL === undefined ? 'query' : 'fragment',
    now,
    log,
    metrics,
    tracer,
  })
  outbox.whenCommitted(() => mailSender.wake())

  const people = await createPeople(runtime, {
    metrics,
    statements,
    families,
    revocations,
    apiKeys,
    outbox,
    oneTimeTokens,
    audit,
  })
  const { users, credentials, passwords, emailAddresses } = people

  const { throttle, guesses } = await createThrottling(runtime)
  const passwordFactor = new PasswordFactor({ users, guesses, emailAddresses, now })
  const sessionTokens = new SessionTokens({
    families,
    refreshRotation,
    accessTokens,
    idTokens,
    users,
    issuer,
    keyring,
    metrics,
    lifetimes,
  })
  const signIn = new SignIn({ guesses, passwords, passwordFactor, sessionTokens })

  const browserSignIn = await createBrowserSignIn(runtime, {
    clients,
    users,
    credentials,
    families,
    revocations,
    codec,
    statements,
    outbox,
    audit,
    idTokens,
    signIn,
    guesses,
    lifetimes,
  })
  const services = {
    metrics,
    statements,
    audit,
    refusals,
    lifetimes,
    rememberSeconds,
    signingKeys,
    keyring,
    timing,
    rotation,
    revocationLog,
    revocations,
    index,
    feed,
    codec,
    families,
    unanswered,
    refreshRotation,
    accessTokens,
    tokenLives,
    oneTimeTokens,
    apiKeys,
    clients,
    publicOrigins,
    apiClients,
    assertions,
    outbox,
    mailQueue,
    mailSender,
    ...people,
    throttle,
    guesses,
    sessionTokens,
    signIn,
    idTokens,
    logoutDeliveries,
    logoutSender,
    ...browserSignIn,
  }
  const janitor = new Janitor({ db, now, tasks: cleanupTasks(runtime, services) })
  return { ...services, janitor }
}
